/** The two shops of the example. */
export interface Tenant {
  readonly id: string;
  readonly name: string;
}

export const TENANTS: readonly [Tenant, ...Tenant[]] = [
  { id: 'shop_a', name: 'Alder & Co' },
  { id: 'shop_b', name: 'Birch Market' },
];

/** The tenant that the address names after `#`, so that a window can be opened on one. */
export function tenantOf(hash: string): Tenant {
  return TENANTS.find((tenant) => `#${tenant.id}` === hash) ?? TENANTS[0];
}
