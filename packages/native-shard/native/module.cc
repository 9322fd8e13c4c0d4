// The addon's face to JavaScript. Sockets are numbered within a thread; calls pass integers and typed arrays that were
// handed over once. src/native-udp.ts is the only caller: it checks arguments, this file trusts them.
#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

#include <new>
#include <vector>

#include "galois.h"
#include "loop.h"
#include "udp.h"

namespace molia {
namespace {

struct Thread;

struct Open {
  Thread* thread;
  UdpSocket socket;
  uv_poll_t* poll = nullptr;
  // Keeps the memory that the socket writes to, and the callback.
  std::vector<napi_ref> kept;
  // What `copy` copies from.
  napi_ref source = nullptr;
  const uint8_t* source_bytes = nullptr;
  napi_ref on_event = nullptr;
  napi_ref on_closed = nullptr;
  napi_async_cleanup_hook_handle cleanup = nullptr;
  napi_async_context context = nullptr;
  bool writable_wanted = false;
  // In the thread's list of those that have something to send.
  bool listed = false;
  bool closing = false;
};

// One environment: the main thread or a worker. What JavaScript puts into the rings leaves when the loop is about to wait
// (prepare) or has just run what it waited for (check): whatever one turn causes leaves together.
struct Thread {
  napi_env env;
  uv_prepare_t* prepare = nullptr;
  uv_check_t* check = nullptr;
  std::vector<Open*> pending;
  int open_count = 0;
  Inbox inbox;
  std::vector<napi_ref> kept;
  std::vector<Open*> sockets;
};

// What the callback is told.
enum Event { kReceived = 0, kMtu = 1, kBroken = 2 };

Thread* ThreadOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Thread*>(data);
}

napi_value Int(napi_env env, int value) {
  napi_value out;
  napi_create_int32(env, value, &out);
  return out;
}

int32_t IntOf(napi_env env, napi_value value) {
  int32_t out = 0;
  napi_get_value_int32(env, value, &out);
  return out;
}

// The bytes of a typed array.
template <typename T>
T* DataOf(napi_env env, napi_value array) {
  void* data = nullptr;
  napi_get_typedarray_info(env, array, nullptr, nullptr, &data, nullptr, nullptr);
  return static_cast<T*>(data);
}

template <typename T>
T* Keep(napi_env env, napi_value array, std::vector<napi_ref>* kept) {
  napi_ref reference;
  napi_create_reference(env, array, 1, &reference);
  kept->push_back(reference);
  return DataOf<T>(env, array);
}

void Forget(napi_env env, std::vector<napi_ref>* kept) {
  for (napi_ref reference : *kept) napi_delete_reference(env, reference);
  kept->clear();
}

Open* SocketOf(napi_env env, napi_value id) {
  const Thread* thread = ThreadOf(env);
  const int32_t at = IntOf(env, id);
  if (at < 0 || static_cast<size_t>(at) >= thread->sockets.size()) return nullptr;
  Open* open = thread->sockets[at];
  return open == nullptr || open->closing ? nullptr : open;
}

void OnReady(uv_poll_t* poll, int status, int events);

void Arm(Open* open) {
  uv_poll_start(open->poll, kUvReadable | (open->writable_wanted ? kUvWritable : 0), OnReady);
}

void Send(Open* open) {
  if (open->closing || open->writable_wanted || open->socket.Flush()) return;
  open->writable_wanted = true;
  Arm(open);
}

void SendPending(Thread* thread) {
  for (Open* open : thread->pending) {
    open->listed = false;
    Send(open);
  }
  thread->pending.clear();
}

void OnPrepare(uv_prepare_t* prepare) {
  SendPending(static_cast<Thread*>(uv_handle_get_data(reinterpret_cast<uv_handle_t*>(prepare))));
}

void OnCheck(uv_check_t* check) {
  SendPending(static_cast<Thread*>(uv_handle_get_data(reinterpret_cast<uv_handle_t*>(check))));
}

// Neither keeps the process alive.
void StartTurns(Thread* thread, uv_loop_t* loop) {
  thread->prepare = static_cast<uv_prepare_t*>(calloc(1, uv_handle_size(kUvPrepare)));
  thread->check = static_cast<uv_check_t*>(calloc(1, uv_handle_size(kUvCheck)));
  uv_prepare_init(loop, thread->prepare);
  uv_check_init(loop, thread->check);
  uv_handle_set_data(reinterpret_cast<uv_handle_t*>(thread->prepare), thread);
  uv_handle_set_data(reinterpret_cast<uv_handle_t*>(thread->check), thread);
  uv_prepare_start(thread->prepare, OnPrepare);
  uv_check_start(thread->check, OnCheck);
  uv_unref(reinterpret_cast<uv_handle_t*>(thread->prepare));
  uv_unref(reinterpret_cast<uv_handle_t*>(thread->check));
}

void Free(uv_handle_t* handle) { free(handle); }

void StopTurns(Thread* thread) {
  uv_close(reinterpret_cast<uv_handle_t*>(thread->prepare), Free);
  uv_close(reinterpret_cast<uv_handle_t*>(thread->check), Free);
  thread->prepare = nullptr;
  thread->check = nullptr;
}

// An exception of the callback is the program's, as one of any event handler is.
void Tell(Open* open, int event, int a) {
  napi_env env = open->thread->env;
  napi_value callback, receiver, result;
  napi_value arguments[2] = {Int(env, event), Int(env, a)};
  napi_get_reference_value(env, open->on_event, &callback);
  napi_get_global(env, &receiver);
  const napi_status status = napi_make_callback(env, open->context, receiver, callback, 2, arguments, &result);
  if (status == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
}

void OnReady(uv_poll_t* poll, int, int events) {
  auto* open = static_cast<Open*>(uv_handle_get_data(reinterpret_cast<uv_handle_t*>(poll)));
  napi_env env = open->thread->env;
  if ((events & kUvWritable) != 0 && open->socket.Flush()) {
    open->writable_wanted = false;
    Arm(open);
  }
  uint8_t* inbox_endpoint = open->thread->inbox.endpoints;
  int mtu = 0;
  // BOUNDED: by what the kernel queued.
  while (!open->closing && open->socket.NextMtuReport(inbox_endpoint, &mtu)) {
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    Tell(open, kMtu, mtu);
    napi_close_handle_scope(env, scope);
  }
  // BOUNDED: a full batch is kBatchMin at least.
  for (int read = 0; !open->closing && read < kReadsMax;) {
    bool more = false;
    const int count = open->socket.Receive(open->thread->inbox, &more);
    if (count != 0) {
      napi_handle_scope scope;
      napi_open_handle_scope(env, &scope);
      Tell(open, count < 0 ? kBroken : kReceived, count);
      napi_close_handle_scope(env, scope);
    }
    if (count < 0 || !more) return;
    read += kBatchMin;
  }
}

void OnClosed(uv_handle_t* handle) {
  auto* open = static_cast<Open*>(uv_handle_get_data(handle));
  napi_env env = open->thread->env;
  open->socket.Close();
  if (open->on_closed != nullptr) {
    napi_handle_scope scope;
    napi_value callback, receiver;
    napi_open_handle_scope(env, &scope);
    napi_get_reference_value(env, open->on_closed, &callback);
    napi_get_global(env, &receiver);
    napi_make_callback(env, open->context, receiver, callback, 0, nullptr, nullptr);
    napi_close_handle_scope(env, scope);
    napi_delete_reference(env, open->on_closed);
  }
  Forget(env, &open->kept);
  napi_delete_reference(env, open->on_event);
  if (open->source != nullptr) napi_delete_reference(env, open->source);
  napi_async_destroy(env, open->context);
  Thread* thread = open->thread;
  for (Open*& slot : thread->sockets)
    if (slot == open) slot = nullptr;
  for (size_t i = 0; i < thread->pending.size();)
    if (thread->pending[i] == open) thread->pending.erase(thread->pending.begin() + i);
    else i++;
  if (open->cleanup != nullptr) napi_remove_async_cleanup_hook(open->cleanup);
  free(open->poll);
  delete open;
}

void Close(Open* open) {
  if (open->closing) return;
  open->closing = true;
  uv_poll_stop(open->poll);
  // Closed in this order, so that nothing of the thread outlives the last socket's own close.
  if (--open->thread->open_count == 0) StopTurns(open->thread);
  uv_close(reinterpret_cast<uv_handle_t*>(open->poll), OnClosed);
}

// The thread ends with the socket open.
void OnCleanup(napi_async_cleanup_hook_handle, void* data) { Close(static_cast<Open*>(data)); }

// inbox(bytes, endpoints, locals, lengths): where this thread's datagrams land.
napi_value SetInbox(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value a[4];
  napi_get_cb_info(env, info, &count, a, nullptr, nullptr);
  Thread* thread = ThreadOf(env);
  Forget(env, &thread->kept);
  thread->inbox.bytes = Keep<uint8_t>(env, a[0], &thread->kept);
  thread->inbox.endpoints = Keep<uint8_t>(env, a[1], &thread->kept);
  thread->inbox.locals = Keep<uint8_t>(env, a[2], &thread->kept);
  thread->inbox.lengths = Keep<int32_t>(env, a[3], &thread->kept);
  return nullptr;
}

// open(endpoint, flags, dscp, bufferBytes, slots, bytes, endpoints, locals, lengths, ring, counters, onEvent): the
// socket's number, or a negative errno. flags: 1 = reuse port, 2 = don't fragment.
napi_value OpenSocket(napi_env env, napi_callback_info info) {
  size_t count = 12;
  napi_value a[12];
  napi_get_cb_info(env, info, &count, a, nullptr, nullptr);
  Thread* thread = ThreadOf(env);
  OpenOptions options;
  memcpy(options.endpoint, DataOf<uint8_t>(env, a[0]), kEndpointBytes);
  const int32_t flags = IntOf(env, a[1]);
  options.reuse_port = (flags & 1) != 0;
  options.dont_fragment = (flags & 2) != 0;
  options.dscp = IntOf(env, a[2]);
  options.buffer_bytes = IntOf(env, a[3]);

  auto* open = new (std::nothrow) Open();
  auto* poll = static_cast<uv_poll_t*>(calloc(1, uv_handle_size(kUvPoll)));
  if (open == nullptr || poll == nullptr) {
    delete open;
    free(poll);
    return Int(env, -ENOMEM);
  }
  open->thread = thread;
  open->poll = poll;
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  int result = open->socket.Open(options);
  if (result == 0) result = uv_poll_init(loop, poll, open->socket.fd());
  if (result != 0) {
    open->socket.Close();
    free(poll);
    delete open;
    return Int(env, result);
  }
  Outbox& out = open->socket.out;
  out.slots = IntOf(env, a[4]);
  out.bytes = Keep<uint8_t>(env, a[5], &open->kept);
  out.endpoints = Keep<uint8_t>(env, a[6], &open->kept);
  out.locals = Keep<uint8_t>(env, a[7], &open->kept);
  out.lengths = Keep<int32_t>(env, a[8], &open->kept);
  out.ring = Keep<int32_t>(env, a[9], &open->kept);
  open->socket.counters = Keep<double>(env, a[10], &open->kept);
  napi_create_reference(env, a[11], 1, &open->on_event);
  napi_value name;
  napi_create_string_utf8(env, "molia:udp", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, nullptr, name, &open->context);
  uv_handle_set_data(reinterpret_cast<uv_handle_t*>(poll), open);
  napi_add_async_cleanup_hook(env, OnCleanup, open, &open->cleanup);
  Arm(open);
  if (thread->open_count++ == 0) StartTurns(thread, loop);

  size_t at = 0;
  while (at < thread->sockets.size() && thread->sockets[at] != nullptr) at++;
  if (at == thread->sockets.size()) thread->sockets.push_back(nullptr);
  thread->sockets[at] = open;
  return Int(env, static_cast<int>(at));
}

// address(socket, out): writes the bound endpoint; 0 or a negative errno.
napi_value Address(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value a[2];
  napi_get_cb_info(env, info, &count, a, nullptr, nullptr);
  const Open* open = SocketOf(env, a[0]);
  return Int(env, open == nullptr ? -EBADF : open->socket.Address(DataOf<uint8_t>(env, a[1])));
}

// flush(socket): sends what lies in the ring now; what the kernel does not take leaves when it does.
napi_value Flush(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value a[1];
  napi_get_cb_info(env, info, &count, a, nullptr, nullptr);
  Open* open = SocketOf(env, a[0]);
  if (open != nullptr) Send(open);
  return nullptr;
}

// source(socket, bytes): what `copy` copies from, until told otherwise.
napi_value Source(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value a[2];
  napi_get_cb_info(env, info, &count, a, nullptr, nullptr);
  Open* open = SocketOf(env, a[0]);
  if (open == nullptr) return nullptr;
  if (open->source != nullptr) napi_delete_reference(env, open->source);
  napi_create_reference(env, a[1], 1, &open->source);
  open->source_bytes = DataOf<uint8_t>(env, a[1]);
  return nullptr;
}

// copy(socket, slot, offset, length): puts bytes of the source into a slot of the ring, which then leaves with this turn.
napi_value Copy(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value a[4];
  napi_get_cb_info(env, info, &count, a, nullptr, nullptr);
  Open* open = SocketOf(env, a[0]);
  if (open == nullptr || open->source_bytes == nullptr) return nullptr;
  const int32_t slot = IntOf(env, a[1]);
  memcpy(open->socket.out.bytes + slot * kSlotBytes, open->source_bytes + IntOf(env, a[2]), IntOf(env, a[3]));
  if (!open->listed) {
    open->listed = true;
    open->thread->pending.push_back(open);
  }
  return nullptr;
}

// close(socket, onClosed): `onClosed` is called when the address is free again.
napi_value CloseSocket(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value a[2];
  napi_get_cb_info(env, info, &count, a, nullptr, nullptr);
  Open* open = SocketOf(env, a[0]);
  if (open == nullptr) return nullptr;
  napi_create_reference(env, a[1], 1, &open->on_closed);
  Close(open);
  return nullptr;
}

// galoisLevels(): bits of `GaloisLevel`.
napi_value Levels(napi_env env, napi_callback_info) { return Int(env, GaloisLevels()); }

// Shards of one code at most.
constexpr uint32_t kShardsMax = 255;

// Addresses of `length` bytes at `offset` of each array. False: one of them is no array of that size.
bool BytesOf(napi_env env, napi_value list, uint32_t count, size_t offset, size_t length, uint8_t** out) {
  for (uint32_t i = 0; i < count; i++) {
    napi_value item;
    napi_typedarray_type type;
    size_t bytes = 0;
    void* data = nullptr;
    if (napi_get_element(env, list, i, &item) != napi_ok ||
        napi_get_typedarray_info(env, item, &type, &bytes, &data, nullptr, nullptr) != napi_ok ||
        type != napi_uint8_array || offset > bytes || length > bytes - offset)
      return false;
    out[i] = static_cast<uint8_t*>(data) + offset;
  }
  return true;
}

// galois(level, tables, rows, columns, sources, targets, offset, length, add): false when an argument does not fit.
napi_value Galois(napi_env env, napi_callback_info info) {
  size_t count = 9;
  napi_value a[9];
  napi_get_cb_info(env, info, &count, a, nullptr, nullptr);
  const int level = IntOf(env, a[0]);
  const uint32_t rows = IntOf(env, a[2]), columns = IntOf(env, a[3]);
  double offset = 0, length = 0;
  napi_get_value_double(env, a[6], &offset);
  napi_get_value_double(env, a[7], &length);
  bool add = false;
  napi_get_value_bool(env, a[8], &add);
  uint8_t *sources[kShardsMax], *targets[kShardsMax], *tables;
  napi_value ok;
  const bool fits = (GaloisLevels() & level) == level && level != 0 && rows <= kShardsMax && columns <= kShardsMax;
  napi_typedarray_type type;
  size_t bytes = 0;
  if (fits && napi_get_typedarray_info(env, a[1], &type, &bytes, reinterpret_cast<void**>(&tables), nullptr, nullptr) == napi_ok &&
      bytes >= size_t{40} * rows * columns && BytesOf(env, a[4], columns, offset, length, sources) &&
      BytesOf(env, a[5], rows, offset, length, targets)) {
    GaloisRun(level, tables, rows, columns, sources, targets, length, add);
    napi_get_boolean(env, true, &ok);
  } else {
    napi_get_boolean(env, false, &ok);
  }
  return ok;
}

void DeleteThread(napi_env, void* data, void*) { delete static_cast<Thread*>(data); }

}  // namespace
}  // namespace molia

NAPI_MODULE_INIT() {
  using namespace molia;
  auto* thread = new Thread();
  thread->env = env;
  napi_set_instance_data(env, thread, DeleteThread, nullptr);
  const napi_property_descriptor properties[] = {
      {"inbox", nullptr, SetInbox, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"open", nullptr, OpenSocket, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"address", nullptr, Address, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"flush", nullptr, Flush, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"source", nullptr, Source, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"copy", nullptr, Copy, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"galoisLevels", nullptr, Levels, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"galois", nullptr, Galois, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"close", nullptr, CloseSocket, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
