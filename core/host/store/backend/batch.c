/* Makes the grants of a batch, and frees its parts. */
#include "batch.h"

#include "store/text_copy.h"

#include <stdlib.h>
#include <string.h>

event_grant *event_grant_new(const event_grant_source *source) {
  const event_trace *trace = &source->trace;
  size_t size = source->body_size;
  event_grant *grant = NULL;
  if (source->body != NULL || size == 0) {
    grant = malloc(sizeof *grant + size + 1 + text_size(trace->traceparent) +
                   text_size(trace->request_id));
  }
  size_t action_size = strlen(source->action) + 1;
  event_finish *finish = malloc(sizeof *finish + action_size);
  if (grant == NULL || finish == NULL) {
    free(grant);
    free(finish);
    return NULL;
  }
  *finish = (event_finish){.id = source->id};
  memcpy(finish->action, source->action, action_size);
  *grant = (event_grant){.finish = finish};
  if (size > 0) {
    memcpy(grant->body, source->body, size);
  }
  grant->body[size] = '\0';
  grant->lease =
      (event_lease){.id = source->id, .attempt = 1, .body = grant->body, .body_size = size};
  char *text = grant->body + size + 1;
  grant->lease.trace.traceparent = text_copy(trace->traceparent, &text);
  grant->lease.trace.request_id = text_copy(trace->request_id, &text);
  return grant;
}

void event_finish_free(event_finish *finish) {
  if (finish != NULL) {
    free(finish->error);
    free(finish->lines);
    event_decision_free(finish->decision);
    event_recording_free(finish->recording);
    free(finish->notice);
    free(finish);
  }
}

void event_grants_free(event_grant *grant, bool with_finish) {
  while (grant != NULL) {
    event_grant *next = grant->next;
    if (with_finish) {
      event_finish_free(grant->finish);
    }
    free(grant);
    grant = next;
  }
}
