/* One connection of spec/support/load.c: renders a webhook, sends it, reads its response. */
#ifndef SPEC_SUPPORT_LOAD_CONNECTION_H
#define SPEC_SUPPORT_LOAD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

enum {
  LOAD_REQUEST_MAX = 1024,
  LOAD_RESPONSE_MAX = 16384,
  LOAD_ACCOUNT_ID_SIZE = 37
};

typedef struct {
  int port;
  const char *path;
  unsigned tag;        /* part of every account's id */
  bool number_actions; /* the action names the sequence, too */
  bool is_fresh;       /* a connection for each request */
} load_target;

typedef struct {
  int fd; /* -1: closed */
  bool is_waiting;
  size_t sent; /* how many events have been acknowledged with 200 */
  double began;
  char request[LOAD_REQUEST_MAX];
  size_t request_size, account_at[2], sequence_at[2]; /* where its digits are; 0: nowhere */
  char response[LOAD_RESPONSE_MAX];
  size_t response_size;
} load_connection;

/* The id that the webhooks of an account carry. */
void load_account_id(const load_target *target, size_t account, char id[LOAD_ACCOUNT_ID_SIZE]);

/* Connects; false if nobody listens. */
bool load_open(load_connection *connection, const load_target *target);
void load_close(load_connection *connection);

/* Sends the event of an account; false if the connection is broken. */
bool load_send(load_connection *connection, size_t account, size_t sequence);

/* Reads what has come: the status of a complete response, 0 if it is not complete yet, -1 if the
 * connection has ended. `is_last`: the receiver closes it after the response. */
int load_receive(load_connection *connection, bool *is_last);

#endif
