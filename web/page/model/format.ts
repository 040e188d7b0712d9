/** Numbers and times as the page writes them. */

const integer = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' });
const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });

/** A real minus sign, as wide as a digit. */
export function count(value: number): string {
  return integer.format(value).replace('-', '\u2212');
}

export function signed(value: number): string {
  return value > 0 ? `+${count(value)}` : count(value);
}

export function price(cents: number): string {
  return money.format(cents / 100);
}

export function milliseconds(value: number): string {
  if (value < 9.95) return value.toFixed(1);
  return integer.format(value);
}

export function clockTime(at_us: number): string {
  return time.format(at_us / 1_000);
}
