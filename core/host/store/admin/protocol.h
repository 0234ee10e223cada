/* The lines of the socket by which commands ask the process that serves: pure functions.
 *
 * A connection carries one request, a line, and lines about its progress, the last of which has
 * another status:
 *
 *   palenca-admin 3 purge state=done before=1772323200000
 *   palenca-admin 3 progress events=200 …
 *   palenca-admin 3 done events=513 kept=2 bytes=210330 file_size=421888 …
 *
 * The first two words are the same in every version of the protocol. Values are percent-encoded. */
#ifndef PALENCA_HOST_STORE_ADMIN_PROTOCOL_H
#define PALENCA_HOST_STORE_ADMIN_PROTOCOL_H

#include "store/event_admin.h"

#define EVENT_ADMIN_PROTOCOL 3
#define EVENT_ADMIN_LINE_MAX 4096 /* with its line end and a terminating zero */
#define EVENT_ADMIN_TEXT_MAX 1024 /* of an action, an account or a reason, with a zero */

typedef enum {
  EVENT_ADMIN_LINE_OK,
  EVENT_ADMIN_LINE_MALFORMED,
  EVENT_ADMIN_LINE_OTHER_VERSION
} event_admin_line;

typedef struct {
  event_admin_request request; /* its texts are below */
  char action[EVENT_ADMIN_TEXT_MAX], account_id[EVENT_ADMIN_TEXT_MAX];
  char file[EVENT_ADMIN_TEXT_MAX], body[EVENT_ADMIN_TEXT_MAX];
  char platform[EVENT_ADMIN_TEXT_MAX], error[EVENT_ADMIN_TEXT_MAX];
  char user_id[EVENT_ADMIN_TEXT_MAX];
} event_admin_request_line;

/* False: its texts are too long. */
bool event_admin_write_request(const event_admin_request *request, char line[EVENT_ADMIN_LINE_MAX]);
/* Of a line without its end. */
event_admin_line event_admin_read_request(const char *line, event_admin_request_line *read);

typedef enum {
  EVENT_ADMIN_STATUS_PROGRESS, /* it continues */
  EVENT_ADMIN_STATUS_DONE,
  EVENT_ADMIN_STATUS_FAILED,  /* what the report counts was done */
  EVENT_ADMIN_STATUS_REJECTED /* nothing was done */
} event_admin_status;

typedef struct {
  event_admin_status status;
  event_admin_report report;
  char reason[EVENT_ADMIN_TEXT_MAX]; /* of FAILED and REJECTED */
  int64_t version;                   /* of OTHER_VERSION */
} event_admin_response;

/* A reason that is too long is truncated. */
void event_admin_write_response(const event_admin_response *response,
                                char line[EVENT_ADMIN_LINE_MAX]);
event_admin_line event_admin_read_response(const char *line, event_admin_response *read);

#endif
