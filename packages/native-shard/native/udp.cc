#include "udp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/errqueue.h>
#endif

namespace molia {
namespace {

constexpr int kControlBytes = 128;

#if defined(__linux__)
using Message = mmsghdr;
#else
struct Message {
  msghdr msg_hdr;
  unsigned msg_len;
};
#endif

// Scratch of one batch; a thread runs one batch at a time.
struct Batch {
  Message messages[kBatchMax];
  iovec parts[kBatchMax];
  sockaddr_storage names[kBatchMax];
  alignas(cmsghdr) uint8_t controls[kBatchMax][kControlBytes];
};
thread_local Batch batch;

bool IsLinkLocal(const uint8_t* address) { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

void EndpointOf(const sockaddr_storage& name, uint8_t* out) {
  memset(out, 0, kEndpointBytes);
  if (name.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
    out[0] = 4;
    memcpy(out + 1, &v4.sin_addr, 4);
    memcpy(out + 17, &v4.sin_port, 2);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
    out[0] = 6;
    memcpy(out + 1, &v6.sin6_addr, 16);
    memcpy(out + 17, &v6.sin6_port, 2);
  }
}

// Length of the name, 0 = the endpoint is of another family or has no port.
socklen_t NameOf(const uint8_t* endpoint, int family, uint32_t scope, sockaddr_storage* out) {
  if (endpoint[17] == 0 && endpoint[18] == 0) return 0;
  if (family == AF_INET) {
    if (endpoint[0] != 4) return 0;
    auto* v4 = reinterpret_cast<sockaddr_in*>(out);
    memset(v4, 0, sizeof *v4);
    v4->sin_family = AF_INET;
    memcpy(&v4->sin_addr, endpoint + 1, 4);
    memcpy(&v4->sin_port, endpoint + 17, 2);
    return sizeof *v4;
  }
  if (endpoint[0] != 6) return 0;
  auto* v6 = reinterpret_cast<sockaddr_in6*>(out);
  memset(v6, 0, sizeof *v6);
  v6->sin6_family = AF_INET6;
  memcpy(&v6->sin6_addr, endpoint + 1, 16);
  memcpy(&v6->sin6_port, endpoint + 17, 2);
  if (IsLinkLocal(endpoint + 1)) v6->sin6_scope_id = scope;
  return sizeof *v6;
}

// Some systems refuse what is too large instead of capping it: then half, down to 64 KiB.
void SetBuffer(int fd, int option, int bytes) {
  for (; bytes >= 65536; bytes /= 2)
    if (setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes) == 0) return;
}

bool Set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

int ReceiveBatch(int fd, int count) {
#if defined(__linux__)
  return recvmmsg(fd, batch.messages, count, MSG_DONTWAIT, nullptr);
#else
  for (int i = 0; i < count; i++) {
    ssize_t length = recvmsg(fd, &batch.messages[i].msg_hdr, MSG_DONTWAIT);
    if (length < 0) return i > 0 ? i : -1;
    batch.messages[i].msg_len = length;
  }
  return count;
#endif
}

int SendBatch(int fd, int count) {
#if defined(__linux__)
  return sendmmsg(fd, batch.messages, count, MSG_DONTWAIT);
#else
  for (int i = 0; i < count; i++)
    if (sendmsg(fd, &batch.messages[i].msg_hdr, MSG_DONTWAIT) < 0) return i > 0 ? i : -1;
  return count;
#endif
}

// The address that a datagram was sent to, so that the answer leaves from it.
void LocalOf(const cmsghdr* control, uint8_t* out) {
  uint32_t interface = 0;
#if defined(__linux__)
  if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
    in_pktinfo info;
    memcpy(&info, CMSG_DATA(control), sizeof info);
    memcpy(out, &info.ipi_spec_dst, 4);
    memcpy(out + 16, &interface, 4);
    return;
  }
#endif
#if defined(IPV6_PKTINFO)
  if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
    in6_pktinfo info;
    memcpy(&info, CMSG_DATA(control), sizeof info);
    memcpy(out, &info.ipi6_addr, 16);
    if (IsLinkLocal(out)) interface = info.ipi6_ifindex;
    memcpy(out + 16, &interface, 4);
  }
#endif
}

// Adds the source address to a message's control bytes when one is asked for.
void SetLocal(msghdr* message, uint8_t* control, const uint8_t* local, int family) {
  static const uint8_t kNone[kLocalBytes] = {};
  message->msg_control = nullptr;
  message->msg_controllen = 0;
  if (memcmp(local, kNone, kLocalBytes) == 0) return;
  auto* header = reinterpret_cast<cmsghdr*>(control);
#if defined(__linux__)
  if (family == AF_INET) {
    in_pktinfo info = {};
    memcpy(&info.ipi_spec_dst, local, 4);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(header), &info, sizeof info);
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof info);
    return;
  }
#endif
#if defined(IPV6_PKTINFO)
  if (family == AF_INET6) {
    in6_pktinfo info = {};
    memcpy(&info.ipi6_addr, local, 16);
    memcpy(&info.ipi6_ifindex, local + 16, 4);
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(header), &info, sizeof info);
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof info);
  }
#endif
}

bool IsCongested(const cmsghdr* control) {
  constexpr int kCongestionExperienced = 3;
#if defined(IP_RECVTOS)
  if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS)
    return (*CMSG_DATA(control) & 3) == kCongestionExperienced;
#endif
#if defined(IPV6_TCLASS)
  if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
    int traffic_class;
    memcpy(&traffic_class, CMSG_DATA(control), sizeof traffic_class);
    return (traffic_class & 3) == kCongestionExperienced;
  }
#endif
  return false;
}

}  // namespace

int UdpSocket::Open(const OpenOptions& options) {
  family_ = options.endpoint[0] == 4 ? AF_INET : AF_INET6;
  fd_ = socket(family_, SOCK_DGRAM, IPPROTO_UDP);
  if (fd_ < 0) return -errno;
  fcntl(fd_, F_SETFD, FD_CLOEXEC);
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  const bool v6 = family_ == AF_INET6;
  if (v6) Set(fd_, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (options.reuse_port && !Set(fd_, SOL_SOCKET, SO_REUSEPORT, 1)) {
    const int error = errno;
    Close();
    return -error;
  }
  SetBuffer(fd_, SO_RCVBUF, options.buffer_bytes);
  SetBuffer(fd_, SO_SNDBUF, options.buffer_bytes);
  if (options.dscp != 0) Set(fd_, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, options.dscp << 2);

  uint8_t any[16] = {};
  wildcard_ = memcmp(options.endpoint + 1, any, v6 ? 16 : 4) == 0;
#if defined(IPV6_RECVPKTINFO)
  if (v6 && wildcard_) Set(fd_, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  if (v6) Set(fd_, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
#endif
#if defined(__linux__)
  if (!v6 && wildcard_) Set(fd_, IPPROTO_IP, IP_PKTINFO, 1);
  if (!v6) Set(fd_, IPPROTO_IP, IP_RECVTOS, 1);
  if (options.dont_fragment) {
    Set(fd_, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    reports_mtu_ = Set(fd_, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, 1);
  }
#endif

  sockaddr_storage name = {};
  socklen_t length;
  if (v6) {
    auto& to = reinterpret_cast<sockaddr_in6&>(name);
    to.sin6_family = AF_INET6;
    memcpy(&to.sin6_addr, options.endpoint + 1, 16);
    memcpy(&to.sin6_port, options.endpoint + 17, 2);
    length = sizeof to;
  } else {
    auto& to = reinterpret_cast<sockaddr_in&>(name);
    to.sin_family = AF_INET;
    memcpy(&to.sin_addr, options.endpoint + 1, 4);
    memcpy(&to.sin_port, options.endpoint + 17, 2);
    length = sizeof to;
  }
  if (bind(fd_, reinterpret_cast<sockaddr*>(&name), length) != 0) {
    const int error = errno;
    Close();
    return -error;
  }
  return 0;
}

void UdpSocket::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

int UdpSocket::Address(uint8_t* out) const {
  sockaddr_storage name = {};
  socklen_t length = sizeof name;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &length) != 0) return -errno;
  EndpointOf(name, out);
  return 0;
}

int UdpSocket::Receive(const Inbox& in, bool* more) {
  *more = false;
  const int asked = batch_;
  for (int i = 0; i < batch_; i++) {
    batch.parts[i] = {in.bytes + i * kSlotBytes, kSlotBytes};
    msghdr& header = batch.messages[i].msg_hdr;
    header = {};
    header.msg_name = &batch.names[i];
    header.msg_namelen = sizeof batch.names[i];
    header.msg_iov = &batch.parts[i];
    header.msg_iovlen = 1;
    header.msg_control = batch.controls[i];
    header.msg_controllen = kControlBytes;
  }
  const int got = ReceiveBatch(fd_, batch_);
  Count(kReceiveCalls);
  if (got < 0) {
    const int error = errno;
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return 0;
    CountError(error);
    // An ICMP answer to something sent earlier: the socket works on.
    return error == EBADF || error == ENOTSOCK ? -error : 0;
  }
  int kept = 0;
  for (int i = 0; i < got; i++) kept = Take(in, kept, &batch.messages[i].msg_hdr, batch.messages[i].msg_len);
  // 16 to 64: a full batch asks for more at once, a thin one prepares fewer headers.
  if (got == batch_ && batch_ < kBatchMax) batch_ *= 2;
  else if (got <= batch_ / 4 && batch_ > kBatchMin) batch_ /= 2;
  *more = got == asked;
  return kept;
}

// Moves one received datagram to position `at`; the next free position.
int UdpSocket::Take(const Inbox& in, int at, msghdr* message, unsigned length) {
  Count(kDatagramsIn);
  Count(kBytesIn, length);
  const auto& name = *static_cast<sockaddr_storage*>(message->msg_name);
  if ((message->msg_flags & MSG_TRUNC) != 0 || length > kSlotBytes) {
    Count(kTruncated);
    return at;
  }
  EndpointOf(name, in.endpoints + at * kEndpointBytes);
  if (family_ == AF_INET6 && IsLinkLocal(in.endpoints + at * kEndpointBytes + 1))
    scope_ = reinterpret_cast<const sockaddr_in6&>(name).sin6_scope_id;
  uint8_t* local = in.locals + at * kLocalBytes;
  memset(local, 0, kLocalBytes);
  for (cmsghdr* control = CMSG_FIRSTHDR(message); control != nullptr; control = CMSG_NXTHDR(message, control)) {
    if (wildcard_) LocalOf(control, local);
    if (IsCongested(control)) Count(kCongestion);
  }
  uint8_t* from = static_cast<uint8_t*>(message->msg_iov->iov_base);
  uint8_t* to = in.bytes + at * kSlotBytes;
  if (from != to) memmove(to, from, length);
  in.lengths[at] = length;
  return at + 1;
}

bool UdpSocket::Flush() {
  bool retried = false;
  for (;;) {
    const uint32_t head = out.ring[kHead];
    const uint32_t waiting = static_cast<uint32_t>(out.ring[kTail]) - head;
    if (waiting == 0) return true;
    int count = 0;
    for (uint32_t i = 0; i < waiting && count < kBatchMax; i++) {
      const uint32_t slot = (head + i) % out.slots;
      const socklen_t length =
          NameOf(out.endpoints + slot * kEndpointBytes, family_, scope_, &batch.names[count]);
      if (length == 0) {
        // Not for this socket: what stands before it goes first.
        if (count > 0) break;
        Count(kUnreachable);
        out.ring[kHead] = head + 1;
        break;
      }
      batch.parts[count] = {out.bytes + slot * kSlotBytes, static_cast<size_t>(out.lengths[slot])};
      msghdr& header = batch.messages[count].msg_hdr;
      header = {};
      header.msg_name = &batch.names[count];
      header.msg_namelen = length;
      header.msg_iov = &batch.parts[count];
      header.msg_iovlen = 1;
      SetLocal(&header, batch.controls[count], out.locals + slot * kLocalBytes, family_);
      count++;
    }
    if (count == 0) continue;
    const int sent = SendBatch(fd_, count);
    Count(kSendCalls);
    if (sent < 0) {
      const int error = errno;
      if (error == EINTR) continue;
      if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS) {
        Count(kBlocked);
        return false;
      }
      CountError(error);
      // With error reports on, the error may be that of an earlier datagram: this one gets a second chance.
      if (reports_mtu_ && !retried && error != EMSGSIZE) {
        retried = true;
        continue;
      }
      retried = false;
      out.ring[kHead] = head + 1;
      continue;
    }
    retried = false;
    for (int i = 0; i < sent; i++) Count(kBytesOut, batch.parts[i].iov_len);
    Count(kDatagramsOut, sent);
    out.ring[kHead] = head + sent;
  }
}

bool UdpSocket::NextMtuReport(uint8_t* endpoint, int* mtu) {
#if defined(__linux__)
  if (!reports_mtu_) return false;
  // BOUNDED: by what the kernel queued.
  for (;;) {
    uint8_t byte;
    iovec part = {&byte, 1};
    sockaddr_storage name = {};
    alignas(cmsghdr) uint8_t control[512];
    msghdr message = {};
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      const bool is4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
      const bool is6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
      if (!is4 && !is6) continue;
      sock_extended_err error;
      memcpy(&error, CMSG_DATA(c), sizeof error);
      if (error.ee_errno != EMSGSIZE) {
        CountError(error.ee_errno);
        continue;
      }
      Count(kMtuReports);
      EndpointOf(name, endpoint);
      *mtu = static_cast<int>(error.ee_info);
      return true;
    }
  }
#else
  return false;
#endif
}

void UdpSocket::CountError(int error) {
  switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
      Count(kUnreachable);
      break;
    case EACCES:
    case EPERM:
    case ECONNREFUSED:
      Count(kRefused);
      break;
    case EMSGSIZE:
      Count(kTooLong);
      break;
    default:
      Count(kOtherErrors);
  }
}

}  // namespace molia
