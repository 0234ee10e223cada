/* The webhook endpoint: checks a request, has it stored, responds. */
#ifndef PALENCA_HOST_WEBHOOK_RECEIVER_H
#define PALENCA_HOST_WEBHOOK_RECEIVER_H

#include "common/host_error.h"
#include "common/net_address.h"
#include "rejection_log.h"
#include "signature.h"
#include "store/event_store.h"

typedef struct receiver receiver;

/* All of it is copied, but for the loop. Of limits and times, 0 stands for http_server's default.
 */
typedef struct {
  const char *listen; /* as http_server_options has it, and the next nine */
  int passed_fd;
  size_t max_body;
  size_t max_head;
  int64_t request_ms;
  int64_t idle_ms;
  size_t max_connections;
  size_t max_connections_per_address;
  const char *tls_cert, *tls_key;
  const char *path;         /* compared in constant time, and never logged: it may hold a secret */
  const net_block *trusted; /* proxies whose X-Forwarded-For is believed */
  size_t trusted_count;
  const net_block *allowed; /* who may send; none: anybody */
  size_t allowed_count;
  const webhook_signature_options *signature; /* NULL: none is asked for */
  rejection_write *log; /* called on the loop for rejected requests; may be NULL */
  void *log_context;
  host_loop *loop; /* outlives the receiver */
} receiver_options;

/* Binds the address, before the loop is started. */
receiver *receiver_new(const receiver_options *options, host_error *error);
/* Before the loop is started: from its start on connections are accepted, and events put into this
 * store, which is on the same loop and outlives the receiver. */
void receiver_serve(receiver *r, event_store *store);
const char *receiver_address(const receiver *r);
/* Its max of connections: lower than the requested one if the process may not have so many files
 * open. */
size_t receiver_max_connections(const receiver *r);
/* Reads certificate and key again. False: those from before stay in use, and the reason is in
 * `error`. */
bool receiver_reload_tls(receiver *r, host_error *error);
/* Asks for these signatures from now on. False: those from before stay in use, and the reason is in
 * `error`. */
bool receiver_replace_signature(receiver *r, const webhook_signature_options *options,
                                host_error *error);
/* Has it close each connection after its next response, and accept further ones: so that, when it
 * is stopped, few of its clients have a connection on which they could send just then. */
void receiver_end_connections(receiver *r);
/* Has it stop accepting, respond to what has arrived (for at most `timeout_ms`; a request of which
 * only a part has arrived gets a second), and end. Clients of a passed socket, which others will
 * accept from, have a second for a request on a connection that is open. */
void receiver_ask_stop(receiver *r, int64_t timeout_ms);
/* True once it has ended, waiting for at most `timeout_ms`; it is freed then. Without a running
 * loop it ends at once. */
bool receiver_join(receiver *r, int64_t timeout_ms);

#endif
