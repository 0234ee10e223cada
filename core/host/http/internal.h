/* What the files of the HTTP server share. */
#ifndef PALENCA_HOST_HTTP_INTERNAL_H
#define PALENCA_HOST_HTTP_INTERNAL_H

#include "buffer.h"
#include "connections.h"
#include "listener.h"
#include "parser.h"
#include "response.h"
#include "server.h"
#include "tls.h"

#include <pthread.h>

typedef struct http_connection http_connection;

/* Bytes read in one go. */
#define HTTP_INPUT_SIZE ((size_t)16 * 1024)
/* Of a file, and of a response in pieces before its writer has to wait. */
#define HTTP_OUTPUT_MAX ((size_t)64 * 1024)
/* Buffers of heads that are reused for the next requests. */
#define HTTP_SPARE_MAX 64

/* ---- output_queue.c: what is still to be sent ---------------------------------------------- */

typedef struct http_piece http_piece;
struct http_piece {
  http_piece *next;
  http_response *response; /* whose data it is; NULL: its own, or a file's */
  int fd;                  /* -1: it is in memory */
  int64_t offset;          /* in the file */
  const char *data;
  uint64_t size; /* of what is left */
  char own[];
};

typedef struct {
  http_piece *first, **end;
  size_t memory; /* bytes of pieces that are in memory */
} http_output;

typedef enum {
  HTTP_SENT,    /* there is nothing left */
  HTTP_BLOCKED, /* the peer has to read first */
  HTTP_BROKEN,  /* the connection is of no use any more */
} http_sending;

void http_output_init(http_output *output);
void http_output_clear(http_output *output);
static inline bool http_output_is_empty(const http_output *output) {
  return output->first == NULL;
}
/* Sends `start` and then `data`, or queues what cannot be sent at once: a copy, but for the data of
 * a response. Both may be empty. */
http_sending http_output_send(http_connection *c, const char *start, size_t start_size,
                              http_response *response, const char *data, size_t size);
/* Queues a part of a file, and takes its descriptor over. False: out of memory. */
bool http_output_add_file(http_connection *c, int fd, int64_t offset, uint64_t size);
/* Sends what is queued, up to a bound that lets others have their turn. */
http_sending http_output_flush(http_connection *c);

/* ---- transport.c: the socket, with TLS or without ------------------------------------------ */

#define HTTP_AGAIN (-1) /* nothing can be read or written now */
#define HTTP_FAILED (-2)

/* Bytes; 0: the peer has ended its sending. */
ptrdiff_t http_transport_read(http_connection *c, char *out, size_t size);
struct iovec;
ptrdiff_t http_transport_write(http_connection *c, const struct iovec *parts, size_t count);
/* Ends the sending side. */
void http_transport_shutdown(http_connection *c);

/* ---- exchanges and connections --------------------------------------------------------------- */

typedef enum {
  HTTP_UNDECIDED,
  HTTP_RESPONDED, /* or the response has started */
  HTTP_ABORTED,
} http_choice;

/* Of a deferred one, who responds writes the first three members only: no other thread may touch
 * what the loop's thread reads. */
struct http_exchange {
  http_exchange *next_responded;
  http_response *response; /* responded with it; NULL: aborted, or in another way */
  http_choice choice;
  palenca_buffer body;
  bool is_started;     /* some of the request has arrived */
  bool has_head;       /* and was handed on */
  bool is_complete;    /* all of it has, and was handed over */
  bool is_deferred;    /* deferred, and not yet responded to */
  bool is_piecewise;   /* the response is, and has not ended */
  bool is_chunked;     /* the response is */
  bool has_body;       /* and pieces of it are sent */
  bool has_size;       /* it was said how many bytes there are: `left` */
  bool streams_body;   /* the request's is passed to on_body */
  bool waits_writable; /* on_writable is due when there is room */
  _Atomic bool is_abandoned;
  uint64_t left;
  int file; /* to be sent after the response; -1 */
  int64_t file_offset;
};

typedef enum {
  HTTP_STATE_HANDSHAKE, /* of TLS */
  HTTP_STATE_READING,   /* a request */
  HTTP_STATE_HANDLING,  /* a complete one, or one that was responded to early */
  HTTP_STATE_SENDING,   /* all of the response is queued, and not yet sent */
  HTTP_STATE_LINGERING, /* sent, and ended; what still comes is discarded */
  HTTP_STATE_CLOSED,
} http_state;

struct http_connection {
  http_entry entry; /* first: what http_connections returns */
  uv_poll_t poll;
  http_server *server;
  int fd;
  int interest; /* what the poll handle waits for */
  http_state state;
  bool is_ended;      /* the peer sends no more */
  bool closes;        /* after the response */
  bool client_closes; /* it has said so */
  bool owes_continue; /* 100 Continue, if nothing of the body comes before it is sent */
  bool was_used;      /* for a request before this one */
  bool has_input;     /* some bytes have come, of TLS: decrypted ones */
  bool is_rejected;   /* the peer may still be sending what is not read */
  bool is_queued;     /* in the list of those that the server continues */
  bool is_handle_closed;
  bool tls_wants_write, tls_is_started;
  unsigned turn; /* in which it had a request */
  http_connection *next_queued;
  struct ssl_st *tls; /* NULL: none */
  unsigned tls_reads; /* of the socket, in one call of OpenSSL */
  http_parser parser;
  void *head;         /* the parser's buffer, if a request is under way */
  uint64_t discarded; /* bytes that came after a rejection or the last response */
  char *rest;         /* read, but after the request that is handled */
  size_t rest_at, rest_size;
  http_output output;
  http_exchange exchange;
};

/* First in, first out. */
typedef struct {
  http_connection *first, **end;
} http_connection_list;

struct http_server {
  uv_loop_t *loop;
  http_server_options options;
  http_parser_limits limits;
  bool has_tls;
  http_listener listener;
  uv_poll_t accepting;
  uv_check_t check;
  uv_idle_t idle; /* keeps the loop from waiting */
  uv_timer_t timer;
  uv_async_t wake;   /* another thread has responded */
  size_t handles;    /* that are not yet closed */
  int64_t timer_at;  /* 0: it does not run */
  int spare_fd;      /* closed to accept a client and reject it if there are no more */
  int64_t accept_at; /* accepting has failed and is tried again then; 0: it has not */
  bool is_short;     /* accepting has failed, which was reported */
  int64_t ending_at; /* when the listener was closed, if it was */
  int64_t skew;      /* of the clock, for tests */
  bool is_awake, is_closing, is_ending;
  bool made_progress;  /* a request has started or was deferred: others may come with it */
  bool is_in_turn;     /* what is responded now is looked for before the loop waits */
  unsigned turns;      /* without a wait */
  unsigned turn;       /* of the loop, to distinguish it from the previous one */
  unsigned handshakes; /* steps in this turn */
  unsigned rejections; /* connections that linger after one, of this turn */
  http_connections connections;
  size_t live; /* connections that are not freed */
  size_t active, complete, deferred;
  http_connection_list queued;     /* to be advanced in this turn or the next ones */
  http_connection_list discarding; /* lingering ones whose peers have sent more */
  int64_t discard_at;              /* when some of these are read */
  void *spare_heads[HTTP_SPARE_MAX];
  size_t spare_head_count;
  http_response *out_of_memory; /* what is responded if there is no memory for a response */
  int64_t date_at;              /* in seconds */
  char date[HTTP_DATE_SIZE];
  void (*on_closed)(void *context);
  void *on_closed_context;
  pthread_t thread; /* the loop's; guarded by the mutex, like what follows */
  bool has_thread;
  pthread_mutex_t mutex;
  struct ssl_ctx_st *tls;                   /* NULL: none */
  http_exchange *responded, *responded_end; /* deferred, and responded to */
  char input[HTTP_INPUT_SIZE];
};

/* ---- server.c ---------------------------------------------------------------------------- */

static inline int64_t http_server_now(const http_server *server) {
  return (int64_t)uv_now(server->loop) + server->skew;
}
const char *http_server_date(http_server *server);
/* NULL: out of memory, or without TLS. */
struct ssl_st *http_server_open_tls(http_server *server, int fd, unsigned *reads);
/* Has the connection advanced in this turn or the next, though nothing happens to it. */
void http_server_queue(http_connection *c);
/* Has a lingering one, which has something to read, advanced when it is time to discard more. */
void http_server_queue_discarding(http_connection *c);
void http_server_rejected(http_server *server, const http_exchange *exchange,
                          const net_address *peer, int status, const char *reason);
void http_server_connection_freed(http_server *server);

/* ---- accept.c ---------------------------------------------------------------------------- */

void http_accept_ready(uv_poll_t *handle, int status, int events);
/* Tries again what has failed, if it is time. */
void http_accept_retry(http_server *server);
/* A connection to an open socket that does not block, which is closed in any case. */
void http_accept_socket(http_server *server, int fd, const net_address *peer);

/* ---- connection.c: one connection ----------------------------------------------------------- */

http_connection *http_connection_new(http_server *server, int fd, const net_address *peer);
/* Sends, parses, reads, as far as that is possible now. Returns whether anything was read. */
bool http_connection_advance(http_connection *c);
/* The same after a response, but without reading the socket, which the loop reports. */
void http_connection_resume(http_connection *c);
/* Sends the response that was chosen, if one was. */
void http_connection_respond(http_connection *c);
/* The output has been sent, or has not, in an attempt at it. */
void http_connection_sent(http_connection *c, http_sending sending);
void http_connection_update(http_connection *c);
void http_connection_close(http_connection *c);
void http_connection_free_if_done(http_connection *c);

/* ---- tls_handshake.c --------------------------------------------------------------------- */

/* Does a step of it, and sets the state that follows the last one. */
void http_connection_shake_hands(http_connection *c);

/* ---- connection_end.c: the ends of connections ---------------------------------------------- */

/* Sends a rejection of the server's own, and then lingers. */
void http_connection_reject(http_connection *c, int status, const char *reason);
/* Ends the sending, and closes when the peer does or when it is time. */
void http_connection_linger(http_connection *c);
/* Ends those that have waited for too long, after what is ready has been read; some in each turn.
 */
void http_connections_end_overdue(http_server *server);
/* When the next one has; INT64_MAX: none waits. */
int64_t http_connections_next_timeout(const http_server *server);

/* ---- exchange.c ------------------------------------------------------------------------------ */

static inline http_connection *http_connection_of(const http_exchange *exchange) {
  return (http_connection *)(void *)((char *)(uintptr_t)exchange -
                                     offsetof(http_connection, exchange));
}
/* Sends what was responded to of what had been deferred. */
void http_exchanges_send_responded(http_server *server);
/* Its request is no longer under way. */
void http_exchange_uncount(http_exchange *exchange);
/* Forgets it, to be used for the next request of its connection. */
void http_exchange_reset(http_exchange *exchange);

#endif
