// The Node library's client or server: what it sends comes as JSON lines on standard input, what it gets goes to a file.
//   node peer.cjs client PORT MODE KEY    (KEY is - for none)
//   node peer.cjs server PORT FILE KEY
const fs = require("fs");
const readline = require("readline");
const { FluentClient, FluentServer } = require("@fluent-org/logger");

const [role, port, what, key] = process.argv.slice(2);

function server() {
  const security = { serverHostname: "node", sharedKey: key, authorize: false, userDict: {} };
  const server = new FluentServer({
    listenOptions: { port: Number(port), host: "127.0.0.1" },
    security: key === "-" ? undefined : security,
  });
  const file = fs.openSync(what, "a");
  server.on("entry", (tag, time, record) => fs.writeSync(file, JSON.stringify({ tag, time, record }) + "\n"));
  server.listen().then(() => console.log("listening"));
}

async function client() {
  const client = new FluentClient("cloud", {
    eventMode: what,
    milliseconds: true,
    ack: { ackTimeout: 20000 },
    flushInterval: 20,
    sendQueueIntervalFlushLimit: { length: 100 },
    socket: { host: "127.0.0.1", port: Number(port) },
    security: key === "-" ? undefined : { clientHostname: "node-client", sharedKey: key },
  });
  const emitted = [];
  for await (const line of readline.createInterface({ input: process.stdin })) {
    emitted.push(client.emit("trail", JSON.parse(line)));
  }
  await Promise.all(emitted);
  await client.disconnect();
  console.log(`acknowledged ${emitted.length}`);
}

(role === "server" ? Promise.resolve(server()) : client()).catch((error) => {
  console.error(error);
  process.exit(1);
});
