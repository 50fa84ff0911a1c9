// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { ApiError, explain, told, Unreachable } from './client'
import { ofField, sentence, statement, statements } from './said'

describe('a clause of the server', () => {
  it.each([
    ['it closes the connection', 'It closes the connection.'],
    ['It closes the connection.', 'It closes the connection.'],
    ['it closes the connection.. ', 'It closes the connection.'],
    ['did you mean OR-3?', 'Did you mean OR-3?'],
    ['what came said “go on.”', 'What came said “go on.”'],
    ['several words, for example', 'Several words, for example.'],
    ['asepsis ledger fsck says what is damaged', 'asepsis ledger fsck says what is damaged.'],
    ['forward.destinations[0].tls is missing', 'forward.destinations[0].tls is missing.'],
    ['ct3 does not answer', 'ct3 does not answer.'],
    ['--gateway names one', '--gateway names one.'],
    ['', ''],
  ])('%j is the sentence %j', (text, want) => expect(statement(text)).toBe(want))
  it('ends with one full stop in the middle of another sentence too', () => expect(sentence('connection refused')).toBe('connection refused.'))
  it('stands apart from the next', () => expect(statements('the store does not answer', undefined, '', 'look at its log')).toBe('The store does not answer. Look at its log.'))
})

describe('what is wrong with a field', () => {
  it.each([
    ['is one of the passwords that are tried first', 'It is one of the passwords that are tried first.'],
    ['must have at least 12 characters', 'It must have at least 12 characters.'],
    ['are more than 2000', 'They are more than 2000.'],
    ['or search is needed, and not both', 'Or search is needed, and not both.'],
    ['The two are not the same.', 'The two are not the same.'],
  ])('%j is told as %j', (message, want) => expect(ofField(message)).toBe(want))

  it('is told with what to do as two sentences', () => {
    const e = new ApiError({ type: 'about:blank', title: 'Not valid', status: 400, errors: [{ field: 'password', message: 'is a row of keys or letters', hint: 'several words that do not belong together are easy to keep in mind' }, { field: 'name', message: 'is needed' }] })
    expect(e.field('password')).toBe('It is a row of keys or letters. Several words that do not belong together are easy to keep in mind.')
    expect(e.field('name')).toBe('It is needed.')
    expect(e.field('roles')).toBeUndefined()
  })
})

describe('a refusal', () => {
  const e = new ApiError({ type: 'about:blank', title: 'Not available', status: 503, detail: 'the gateway did not answer within 5 s', hint: 'see that it runs' })
  it('is explained in sentences', () => expect(explain(e)).toEqual({ title: 'The gateway did not answer within 5 s.', hint: 'See that it runs.' }))
  it('is told in one line', () => expect(told(e)).toBe('The gateway did not answer within 5 s. See that it runs.'))
  it('says when to try again where the server gave no other hint', () => expect(told(new ApiError({ type: 'about:blank', title: 'Too many requests', status: 429, retry_after: 7 }))).toBe('Too many requests. Try again in 7 s.'))
  it('is told as it is where the server was not reached', () => expect(told(new Unreachable())).toMatch(/^The server does not answer\. Check the network/))
  it('of the console itself says so', () => expect(told(new Error('x is undefined'))).toBe('The console made an error. x is undefined.'))
})
