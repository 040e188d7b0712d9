/** The public face of the Sluice client; see docs/client.md. */
export { channelAddress } from './channel_address.js';
export type { ChannelListener, ClientOptions, DeltaInfo, LossCause, ResumedInfo, StateInfo, Status, Subscription } from './api.js';
export { LiveClient } from './client.js';
export type { ClientClock, SocketConstructor, SocketLike } from './environment.js';
export type { DeltaMessage, ErrorMessage, OverflowPolicy, Position } from './protocol.js';
export { SUBPROTOCOL } from './protocol.js';
export { type CloseClass, classifyClose, DEFAULT_RECONNECT, type ReconnectSettings } from './reconnect.js';
export type { ResumedBy } from './channel_state.js';
