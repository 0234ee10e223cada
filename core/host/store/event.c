/* The names of an event's states: the one list of them, for C and Lua. */
#include "event.h"

const char *const event_state_names[EVENT_STATES + 1] = {
    [EVENT_RECEIVED] = "received", [EVENT_RUNNING] = "running", [EVENT_RETRY] = "retry",
    [EVENT_DONE] = "done",         [EVENT_DEAD] = "dead",
};

const char *event_state_name(event_state state) {
  return (unsigned)state < EVENT_STATES ? event_state_names[state] : "unknown";
}
