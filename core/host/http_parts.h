/* What the files of the HTTP server share. */
#ifndef PALENCA_HOST_HTTP_PARTS_H
#define PALENCA_HOST_HTTP_PARTS_H

#include "http_connections.h"
#include "http_linger.h"
#include "http_listener.h"
#include "http_server.h"

#include <microhttpd.h>
#include <pthread.h>

typedef struct http_connection http_connection;

struct http_exchange {
  http_server *server;
  struct MHD_Connection *connection;
  const char *method;
  char *uri; /* cut at the query */
  size_t uri_capacity;
  const char *query;
  char *body;
  size_t body_size, body_capacity, discarded;
  bool begun, head_seen, has_body, too_large, handed_over;
  bool deferred;                 /* put aside, and no answer was queued yet */
  bool is_gone;                  /* its connection was closed meanwhile */
  struct MHD_Response *response; /* set: answered */
  http_answer *shared;           /* set: the response is this one's */
  int status;
  http_exchange *next_answered;
};

/* One exchange follows the other on a connection, so that the memory of one serves all. */
struct http_connection {
  http_entry entry; /* first: what http_connections gives back */
  http_exchange exchange;
  int fd;       /* libmicrohttpd's to close */
  bool is_read; /* to the end of the last request: closing it resets nothing */
};

struct http_server {
  struct MHD_Daemon *daemon;
  http_server_options options;
  http_listener listener;
  http_connections connections;
  http_connection *accepted; /* on its way to libmicrohttpd */
  http_linger linger;
  int spare_fd; /* given up for a moment to tell a client that there are no more */
  int epoll_fd; /* holds the listener, libmicrohttpd's own descriptor, and the next one */
  int wake_fd;  /* an answer was given on another thread */
  int64_t now;
  int64_t accept_at; /* accepting has failed and is to be tried again then; 0: it has not */
  size_t active;
  size_t whole; /* of these */
  size_t deferred;
  bool has_moved;   /* the last run has begun, handed over or ended something */
  bool goes_on;     /* the last run has moved a part of a body, of which there may be more */
  size_t looks;     /* at what libmicrohttpd may still have to do */
  pthread_t thread; /* the loop's; guarded by the mutex, like the next one */
  pthread_mutex_t mutex;
  http_exchange *answered; /* deferred, and to be sent */
};

/* ---- http_exchange.c: libmicrohttpd's callbacks on requests ------------------------------ */

void *http_exchange_begin(void *server, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_exchange_advance(void *server, struct MHD_Connection *connection,
                                      const char *url, const char *method, const char *version,
                                      const char *upload, size_t *upload_size, void **slot);
void http_exchange_end(void *server, struct MHD_Connection *connection, void **slot,
                       enum MHD_RequestTerminationCode code);
/* Sends what was answered of what had been put aside. False: nothing was. */
bool http_exchange_send_answered(http_server *server);
bool http_exchange_is_any_answered(http_server *server);

/* ---- http_accept.c: connections come and go ---------------------------------------------- */

/* Accepts what waits at the listener, up to a bound. */
void http_accept_waiting(http_server *server);
/* libmicrohttpd's callback on connections. */
void http_accept_notify(void *server, struct MHD_Connection *connection, void **slot,
                        enum MHD_ConnectionNotificationCode code);
/* Frees what is known of a connection that is closed. */
void http_accept_free(http_connection *connection);
/* Ends those that have kept the server waiting for too long. */
void http_accept_cut_overdue(http_server *server);
/* Ms until the next one has; -1: none is waited for. */
int64_t http_accept_timeout(const http_server *server, int64_t now);

#endif
