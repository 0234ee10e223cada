/* The names of an event's states, and of the outcomes of its attempts: the one list of them, for C
 * and Lua. */
#include "event.h"

const char *const event_state_names[EVENT_STATES + 1] = {
    [EVENT_RECEIVED] = "received", [EVENT_RUNNING] = "running", [EVENT_RETRY] = "retry",
    [EVENT_DONE] = "done",         [EVENT_DEAD] = "dead",
};

const char *event_state_name(event_state state) {
  return (unsigned)state < EVENT_STATES ? event_state_names[state] : "unknown";
}

const char *event_attempt_outcome_name(event_attempt_outcome outcome) {
  static const char *const names[] = {
      [EVENT_ATTEMPT_DONE] = "done",
      [EVENT_ATTEMPT_RETRY] = "retry",
      [EVENT_ATTEMPT_DEAD] = "dead",
      [EVENT_ATTEMPT_INTERRUPTED] = "interrupted",
  };
  return (size_t)outcome < sizeof names / sizeof *names ? names[outcome] : "unknown";
}
