/** Turns the messages of a live connection into recordings per channel, as recording_checker.mjs reads them. */
export class Recorder {
  #recordings = new Map();

  /** The records of a channel so far. */
  of(channel) {
    let records = this.#recordings.get(channel);
    if (records === undefined) this.#recordings.set(channel, (records = []));
    return records;
  }

  get channels() {
    return [...this.#recordings.keys()];
  }

  /** Takes one message as it came over the wire. */
  take(text) {
    const message = JSON.parse(text);
    if (message.channel === undefined) return;
    const records = this.of(message.channel);
    const { epoch, version } = message;
    switch (message.type) {
      case 'delta':
        records.push({ kind: 'frame', epoch, version, data: message.data });
        break;
      case 'reset':
        records.push({ kind: 'state', epoch, version, state: message.state });
        break;
      case 'position':
        records.push({ kind: 'position', epoch, version });
        break;
      case 'subscribed':
        for (const frame of message.frames ?? []) records.push({ kind: 'frame', epoch: frame.epoch ?? epoch, version: frame.version, data: frame.data });
        records.push(message.state === undefined ? { kind: 'resumed', epoch, version } : { kind: 'state', epoch, version, state: message.state });
        break;
    }
  }
}
