/** The few helpers the views share. */

/** The element with this id; the page is static, so a missing one is a mistake in it. */
export function byId<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found as Element as T;
}

export interface Attributes {
  readonly [name: string]: string;
}

export function create<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Writes only what differs: an equal write would still cost a layout and repeat itself to screen readers. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Calls `draw` at most once per animation frame, however often it is asked. */
export class FrameLoop {
  private scheduled = false;

  constructor(private readonly draw: () => void) {}

  request(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.draw();
    });
  }
}

const stillness = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * Lights an element up for a moment; without motion the light goes out at once instead of fading. A light that has just
 * gone on stays, so that a burst does not flicker, unless it has another colour: it would contradict the number beside it.
 */
export function flash(element: Element, colour: string): void {
  for (const running of element.getAnimations()) {
    if (running.id === colour && running.currentTime !== null && Number(running.currentTime) < 120) return;
    running.cancel();
  }
  const easing = stillness.matches ? 'steps(1, jump-end)' : 'cubic-bezier(0.2, 0, 0.4, 1)';
  element.animate([{ backgroundColor: colour }, { backgroundColor: 'transparent' }], { duration: 1_100, easing, id: colour });
}
