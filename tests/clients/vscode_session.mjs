// One whole `single` session, driven by the client library that Microsoft tests VS Code's debug adapters with:
//
//   node vscode_session.mjs '{"port": 5679, "source": "…/steps.py", "attach": {"target": "…", "localRoot": "…"}}'
//
// The worker must wait at the first breakpoint of tests/samples/jobs/steps.py. The session changes a variable, so that the job's
// RESULT is 10 instead of 21; whoever started the job checks that.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { DebugClient } from '@vscode/debugadapter-testsupport';

const DEADLINE = 20_000;

/** The library's client, which on a TCP port waits for ever and forgets what it heard: with deadlines and a transcript. */
class Client extends DebugClient {
  transcript = [];
  timers = new Set();

  /** Settles as `promise` does, or rejects once the deadline has passed. */
  within(promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no ${what} within ${DEADLINE / 1000} s`)), DEADLINE);
      this.timers.add(timer);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }

  send(command, args) {
    this.transcript.push(`-> ${command} ${JSON.stringify(args ?? {})}`);
    const answered = super.send(command, args).then(
      (response) => {
        this.transcript.push(`<- ${command} ${JSON.stringify(response.body ?? {})}`);
        return response;
      },
      (error) => {
        this.transcript.push(`<- ${command} failed: ${error.message}`);
        throw error;
      },
    );
    return this.within(answered, `response to ${command}`);
  }

  emit(name, event) {
    if (event?.type === 'event') this.transcript.push(`<- event ${name} ${JSON.stringify(event.body ?? {})}`);
    return super.emit(name, event);
  }

  waitForEvent(name) {
    return this.within(super.waitForEvent(name), `event ${name}`);
  }

  /** Resolves when the server has hung up. */
  closed() {
    return this.within(new Promise((resolve) => this._socket.once('close', resolve)), 'end of the connection');
  }

  close() {
    this.timers.forEach(clearTimeout);
    this._socket.destroy();
  }

  /** Locals of a frame by name, and the reference to set them by. */
  async locals(frameId) {
    const { scopes } = (await this.scopesRequest({ frameId })).body;
    const { variablesReference } = scopes.find((scope) => scope.name === 'Locals');
    const { variables } = (await this.variablesRequest({ variablesReference })).body;
    return { variablesReference, values: Object.fromEntries(variables.map(({ name, value }) => [name, value])) };
  }

  async evaluate(expression, frameId) {
    return (await this.evaluateRequest({ expression, frameId, context: 'watch' })).body.result;
  }
}

const { port, source, attach } = JSON.parse(process.argv[2]);

/** The number of the one line that ends in `# comment`. */
function lineOf(comment) {
  const lines = readFileSync(source, 'utf8').split('\n');
  const found = lines.flatMap((line, index) => (line.endsWith(`# ${comment}`) ? [index + 1] : []));
  assert.equal(found.length, 1, `lines marked '# ${comment}'`);
  return found[0];
}

async function session(client) {
  // What VS Code says of itself, without the reverse requests, which this library cannot answer.
  const offered = await client.initializeRequest({
    clientID: 'vscode', clientName: 'Visual Studio Code', adapterID: 'debugpy', locale: 'en', pathFormat: 'path',
    linesStartAt1: true, columnsStartAt1: true, supportsVariableType: true, supportsVariablePaging: true,
    supportsProgressReporting: true, supportsInvalidatedEvent: true, supportsMemoryReferences: true,
  });
  for (const name of ['supportsConfigurationDoneRequest', 'supportsSetVariable', 'supportsCompletionsRequest']) {
    assert.equal(offered.body[name], true, name);
  }
  const defaultFilters = offered.body.exceptionBreakpointFilters.filter((each) => each.default).map((each) => each.filter);
  assert.deepEqual(defaultFilters, ['uncaught']);

  // Waiting begins before the request that causes the event, here and below: the library keeps no events for later.
  const initialized = client.waitForEvent('initialized');
  const attached = client.attachRequest(attach);
  await Promise.race([initialized, attached.then(() => initialized)]);  // a refused attach says why
  const breakpoints = await client.setBreakpointsRequest({
    source: { path: source, name: 'steps.py' }, breakpoints: [{ line: lineOf('in double') }], sourceModified: false,
  });
  const [{ id, verified, line }] = breakpoints.body.breakpoints;
  assert.deepEqual({ verified, line }, { verified: true, line: lineOf('in double') });
  await client.setExceptionBreakpointsRequest({ filters: defaultFilters });

  // The worker's own breakpoint.
  let stopped = client.waitForEvent('stopped');
  const atStart = client.assertStoppedLocation('breakpoint', { path: source, line: lineOf('start') });
  await Promise.all([client.configurationDoneRequest(), attached, stopped, atStart]);
  const { threadId } = (await stopped).body;
  const threads = (await client.threadsRequest()).body.threads;
  assert.ok(threads.some((thread) => thread.id === threadId), 'the stopped thread is among the threads');

  const [frame] = (await client.stackTraceRequest({ threadId, startFrame: 0, levels: 20 })).body.stackFrames;
  assert.match(frame.name, /(^|\.)work$/);
  const { variablesReference, values } = await client.locals(frame.id);
  assert.deepEqual(values, { count: '5', total: '0' });
  assert.equal(await client.evaluate('count * 2', frame.id), '10');
  await assert.rejects(client.evaluate('no_such_name', frame.id), /no_such_name/);

  const changed = await client.setVariableRequest({ variablesReference, name: 'count', value: '3' });
  assert.equal(changed.body.value, '3');
  assert.equal(await client.evaluate('count * 2', frame.id), '6');

  // A step.
  const stepped = client.assertStoppedLocation('step', { path: source, line: lineOf('call') });
  await Promise.all([client.nextRequest({ threadId }), stepped]);

  // The client's breakpoint.
  stopped = client.waitForEvent('stopped');
  const inDouble = client.assertStoppedLocation('breakpoint', { path: source, line: lineOf('in double') });
  await Promise.all([client.continueRequest({ threadId }), stopped, inDouble]);
  assert.deepEqual((await stopped).body.hitBreakpointIds, [id]);
  const [top, caller] = (await inDouble).body.stackFrames;
  assert.deepEqual((await client.locals(top.id)).values, { value: '3' });
  assert.deepEqual([caller.source.path, caller.line], [source, lineOf('call')]);

  const { targets } = (await client.completionsRequest({ frameId: top.id, text: 'val', column: 4 })).body;
  assert.ok(targets.some((target) => target.label === 'value'), 'the completions of "val" have "value"');

  // What VS Code sends when its user presses Stop: the worker goes on, past the breakpoint in `double` and to its end.
  let ends = 0;
  client.on('terminated', () => { ends += 1; });
  const terminated = client.waitForEvent('terminated');
  const closed = client.closed();
  await client.disconnectRequest({ restart: false, terminateDebuggee: false, suspendDebuggee: false });
  await Promise.all([terminated, closed]);
  assert.equal(ends, 1, 'events terminated');
}

test('a whole session', async () => {
  const client = new Client('', '', 'debugpy');
  await client.start(port);
  try {
    await session(client);
  } catch (error) {
    console.error(client.transcript.join('\n'));
    throw error;
  } finally {
    client.close();
  }
});
