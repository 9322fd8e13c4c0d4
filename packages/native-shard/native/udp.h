// A UDP socket that moves datagrams by the batch (recvmmsg, sendmmsg; one by one where a system has neither) between the
// kernel and memory that JavaScript owns, on the event loop of the thread that opened it.
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

namespace molia {

// Layout that src/native-udp.ts shares. Endpoints are family (4 or 6), 16 address bytes (IPv4 in the first 4), port (big
// endian); locals are 16 address bytes and the interface's index (little endian), all zero = the kernel's choice.
constexpr int kEndpointBytes = 19;
constexpr int kLocalBytes = 20;
constexpr int kSlotBytes = 1536;
constexpr int kBatchMin = 16;
constexpr int kBatchMax = 64;
// Datagrams read in one turn of the loop before timers and other sockets get theirs.
constexpr int kReadsMax = 512;

// Cells of the counters.
enum Counter {
  kDatagramsIn,
  kBytesIn,
  kReceiveCalls,
  kDatagramsOut,
  kBytesOut,
  kSendCalls,
  kBlocked,
  kTruncated,
  kUnreachable,
  kRefused,
  kTooLong,
  kOtherErrors,
  kMtuReports,
  kCongestion,
  kCounters
};

// Cells of a socket's send ring.
enum RingCell { kHead, kTail, kRingCells };

// Where received datagrams land: one for each thread, since what is received is handled before the next batch.
struct Inbox {
  uint8_t* bytes = nullptr;      // kBatchMax * kSlotBytes
  uint8_t* endpoints = nullptr;  // kBatchMax * kEndpointBytes
  uint8_t* locals = nullptr;     // kBatchMax * kLocalBytes
  int32_t* lengths = nullptr;    // kBatchMax
};

// What waits to be sent: positions run from head to tail modulo `slots`.
struct Outbox {
  uint8_t* bytes = nullptr;
  uint8_t* endpoints = nullptr;
  uint8_t* locals = nullptr;
  int32_t* lengths = nullptr;
  int32_t* ring = nullptr;  // kRingCells
  uint32_t slots = 0;
};

struct OpenOptions {
  uint8_t endpoint[kEndpointBytes];
  bool reuse_port = false;
  bool dont_fragment = false;
  int dscp = 0;
  int buffer_bytes = 0;
};

class UdpSocket {
 public:
  // 0, or a negative errno.
  int Open(const OpenOptions& options);
  void Close();

  int fd() const { return fd_; }
  // The bound address; 0 or a negative errno.
  int Address(uint8_t* out) const;
  // Reads at most one batch; how many datagrams lie in the inbox, or a negative errno. `more`: others wait.
  int Receive(const Inbox& in, bool* more);
  // Sends from head on; `true` = all gone, `false` = the socket is full.
  bool Flush();
  // Takes what the kernel reported on the error queue; the endpoint and MTU of a report, or false.
  bool NextMtuReport(uint8_t* endpoint, int* mtu);

  Outbox out;
  double* counters = nullptr;

 private:
  void Count(Counter counter, double by = 1) { counters[counter] += by; }
  void CountError(int error);
  int Take(const Inbox& in, int at, msghdr* message, unsigned length);

  int fd_ = -1;
  int family_ = AF_INET;
  bool wildcard_ = false;
  bool reports_mtu_ = false;
  int batch_ = kBatchMin;
  // Zone of the last link-local sender: the interface through which link-local peers are answered.
  uint32_t scope_ = 0;
};

}  // namespace molia
