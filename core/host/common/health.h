/* Whether the process can do its work, as those know it who do it; read by whoever watches it.
 *
 * There is one set of it, which any thread may change and read.
 */
#ifndef PALENCA_HOST_COMMON_HEALTH_H
#define PALENCA_HOST_COMMON_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What keeps it from that. */
typedef enum {
  HEALTH_STARTING,
  HEALTH_DRAINING,
  HEALTH_STALLED, /* the loop, as on a disk that hangs */
  HEALTH_DISK_FULL,
  HEALTH_DATABASE_REMOVED,
  HEALTH_DATABASE_DAMAGED,
  HEALTH_STORE_FAILING, /* for another reason */
  HEALTH_KEY_REJECTED,
  HEALTH_PROBLEMS
} health_problem;

/* A plain word. */
const char *health_problem_name(health_problem problem);
/* For people. */
const char *health_problem_text(health_problem problem);

/* Somebody watches: what costs something is looked at only then. */
void health_watch(bool is_watched);
bool health_is_watched(void);

void health_set(health_problem problem, bool is_there);

/* The loop that receives and stores has turned; to be called a few times a second. */
void health_beat(void);
/* It has ended. */
void health_end_beats(void);
/* The milliseconds since its last beat; 0: there is no loop. */
int64_t health_silence_ms(void);

/* HEALTH_STALLED is of silence of this time. */
#define HEALTH_STALLED_MS 1500
/* And after this time the process is not healthy any more. */
#define HEALTH_HUNG_MS 10000

/* The script is loaded with a key that the API has not been asked about. */
void health_set_key_new(void);
/* Whether that is so; of several that call this, only one is to ask. */
bool health_claim_new_key(void);

/* Whether it is time to ask the API whether it accepts the key again; of several that call this,
 * only one is to. Often at first, and rarely once the key has been rejected for long. */
bool health_claim_key_probe(void);

/* Whether there is a problem. */
bool health_has(health_problem problem);

#endif
