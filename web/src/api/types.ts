// SPDX-License-Identifier: Apache-2.0
// The shapes of /api/v1, as respond/api/openapi.yaml describes them.
// Times are RFC 3339 in UTC with up to nine decimals, unless a name ends in _ms.
export type * from './types/base'
export type * from './types/system'
export type * from './types/theatres'
export type * from './types/devices'
export type * from './types/events'
export type * from './types/findings'
export type * from './types/rules'
export type * from './types/advisories'
export type * from './types/prove'
export type * from './types/imaging'
