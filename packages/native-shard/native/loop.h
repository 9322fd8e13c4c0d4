// The few functions of libuv that the addon needs, declared here: Node exports them, but only its own headers, which not
// every machine has, declare them. All are part of libuv 1's stable interface; handles are opaque and allocated by size.
#pragma once

#include <stddef.h>

extern "C" {
struct uv_loop_s;
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;
typedef struct uv_prepare_s uv_prepare_t;
typedef struct uv_check_s uv_check_t;
typedef void (*uv_poll_cb)(uv_poll_t*, int status, int events);
typedef void (*uv_prepare_cb)(uv_prepare_t*);
typedef void (*uv_check_cb)(uv_check_t*);
typedef void (*uv_close_cb)(uv_handle_t*);

size_t uv_handle_size(int type);
void uv_handle_set_data(uv_handle_t*, void*);
void* uv_handle_get_data(const uv_handle_t*);
int uv_poll_init(uv_loop_t*, uv_poll_t*, int fd);
int uv_poll_start(uv_poll_t*, int events, uv_poll_cb);
int uv_poll_stop(uv_poll_t*);
int uv_prepare_init(uv_loop_t*, uv_prepare_t*);
int uv_prepare_start(uv_prepare_t*, uv_prepare_cb);
int uv_check_init(uv_loop_t*, uv_check_t*);
int uv_check_start(uv_check_t*, uv_check_cb);
void uv_unref(uv_handle_t*);
void uv_close(uv_handle_t*, uv_close_cb);
}

namespace molia {
// Of uv_handle_type.
constexpr int kUvCheck = 2;
constexpr int kUvPoll = 8;
constexpr int kUvPrepare = 9;
constexpr int kUvReadable = 1;
constexpr int kUvWritable = 2;
}  // namespace molia
