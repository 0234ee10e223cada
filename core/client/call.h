/* A call of the engine: its copy of the request, its result, and the list it is in. */
#ifndef PALENCA_CALL_H
#define PALENCA_CALL_H

#include "mpsc_queue.h"
#include "rate_limiters.h"
#include "transport.h"

#pragma GCC visibility push(hidden)

typedef struct call call;
typedef struct send_queue send_queue;

/* A result as it is handed on: the public part comes first, so that it is freed with it. */
typedef struct {
  palenca_result result;
  queue_node node; /* links it to the next one */
} call_result;

call_result *call_result_of(queue_node *from);

/* A doubly linked list; every call is in at most one. */
typedef struct {
  call *first, *last;
} call_list;

struct call {
  uint64_t id;
  transport_request request;
  palenca_buffer header_out, body_out;
  int max_retries;
  int attempts;
  int timeout_ms; /* of one attempt */
  bool low_priority, observe, keep_headers;
  uint64_t group, round; /* see send_queue_add */
  int rate_limit;        /* of all calls with the same digest of their rate_limit_key; 0: none */
  unsigned char rate_limit_digest[RATE_LIMITER_DIGEST_SIZE];
  send_queue *send_queue;
  int64_t queued_at; /* in the send queue */
  int64_t turn_wait; /* there, of all its attempts */
  int64_t due;       /* when waiting for its next attempt */
  int64_t deadline;  /* of all attempts; INT64_MAX: none */
  int64_t began;     /* this attempt */
  void *transfer;    /* when sending */
  call_result *result;
  call_list *list;
  call *previous, *next;
  palenca_header headers[]; /* the request's; behind them are its strings */
};

/* What the header lines say that have come. */
void call_read_meta(const call *one, int64_t now_unix_ms, palenca_meta *meta);

/* Moves what has come, with `status`, to a result. */
void call_hand_over_response(call *one, int status, palenca_result *to);

/* What is needed to connect to a request's server; its strings are the request's. */
transport_request call_server(const palenca_request *request);

/* A copy of a request for an engine; NULL with `error` set if there is no engine, the request is
 * not a valid one, or without memory. */
call *call_new(const void *engine, const palenca_request *request, palenca_error *error);
void call_free(call *one);

void call_list_remove(call *one);
/* Inserts a call after `after`; NULL: first. */
void call_list_insert(call_list *list, call *one, call *after);
/* The call with an id; NULL if it is not in the list. */
call *call_list_find(const call_list *list, uint64_t id);
/* Frees every call of a list. */
void call_list_free(call_list *list);

#pragma GCC visibility pop

#endif
