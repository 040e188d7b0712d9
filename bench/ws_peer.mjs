// The peer of the fan-out benchmark: `ws` as its documentation uses it for broadcasts. Commands as in fanout_servers.hpp.
import { createInterface } from "node:readline";
import { WebSocketServer } from "ws";

const members = new Set();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, backlog: 4096 });

server.on("connection", (socket, request) => {
  if (request.url !== "/publish") {
    members.add(socket);
    socket.on("close", () => members.delete(socket));
    return;
  }
  socket.on("message", (data) => {
    for (const member of members) member.send(data, { binary: false });
  });
});

server.on("listening", () => {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => process.stdout.write(line === "port" ? `${server.address().port}\n` : "0\n"));
  lines.on("close", () => process.exit(0));
});
