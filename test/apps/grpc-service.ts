// A gRPC service with a method of every kind, whose messages are plain bytes, so that no schema has to be compiled.

import {
  type Client,
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
} from "@grpc/grpc-js";

const asItIs = (message: Buffer): Buffer => message;

function method(name: string, requestStream: boolean, responseStream: boolean): ServiceDefinition[string] {
  const bytes = { requestSerialize: asItIs, requestDeserialize: asItIs };
  const answers = { responseSerialize: asItIs, responseDeserialize: asItIs };
  return { path: `/test.Bytes/${name}`, requestStream, responseStream, ...bytes, ...answers };
}

export const bytesService: ServiceDefinition = {
  unary: method("Unary", false, false),
  serverStream: method("ServerStream", false, true),
  clientStream: method("ClientStream", true, false),
  bidirectional: method("Bidirectional", true, true),
  never: method("Never", false, true),
};

/** What happened to calls of `never`. */
export interface Silence {
  cancelled: number;
}

const unary = ({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void =>
  answer(null, Buffer.from(request).reverse());

/** Sends the numbers below the one that it is asked for. */
function serverStream(call: ServerWritableStream<Buffer, Buffer>): void {
  const count = Number(call.request.toString());
  for (let index = 0; index < count; index++) call.write(Buffer.from(String(index)));
  call.end();
}

/** Answers all that came as one message. */
function clientStream(call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void {
  const received: Buffer[] = [];
  call.on("data", (message: Buffer) => received.push(message));
  call.on("end", () => answer(null, Buffer.concat(received)));
}

function bidirectional(call: ServerDuplexStream<Buffer, Buffer>): void {
  call.on("data", (message: Buffer) => call.write(Buffer.from(message).reverse()));
  call.on("end", () => call.end());
}

/** Starts the service on a free port of loopback. @returns the server, its port, and what becomes of calls without an answer. */
export async function startBytesService(): Promise<{ server: Server; port: number; silence: Silence }> {
  const server = new Server();
  const silence: Silence = { cancelled: 0 };
  const never = (call: ServerWritableStream<Buffer, Buffer>): void => {
    call.on("cancelled", () => silence.cancelled++);
    call.write(Buffer.from("only this"));
  };
  server.addService(bytesService, { unary, serverStream, clientStream, bidirectional, never });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { server, port, silence };
}

const BytesClient = makeGenericClientConstructor(bytesService, "Bytes");

/** A client with the methods of `Client` alone, which take the path and the serializers with each call. */
export const connectToBytesService = (port: number): Client =>
  new BytesClient(`127.0.0.1:${port}`, credentials.createInsecure());
