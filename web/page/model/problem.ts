/** Errors of the server (RFC 9457, `application/problem+json`) in words for the person who pressed the button. */

export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly request_id: string | undefined;
}

const FALLBACK: Readonly<Record<number, string>> = {
  400: 'The server did not understand the request',
  403: 'The server does not allow this',
  404: 'The server does not know this',
  409: 'This was already done differently',
  413: 'The request is too large',
  429: 'Too many requests at once',
  503: 'The server is busy',
};

/** Reads what is there; a body that is no problem document still gives a sentence. */
export function describeProblem(status: number, body: unknown): Problem {
  const members = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  return {
    status,
    title: sentence(members.title) ?? FALLBACK[status] ?? (status >= 500 ? 'The server failed' : 'The server refused this'),
    detail: sentence(members.detail) ?? '',
    request_id: sentence(members.request_id),
  };
}

function sentence(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}
