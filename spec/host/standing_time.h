/* Time for a test: the clocks stand still until the test moves them on, and syncs can be held. So
 * what has to come at once can be told from what comes after a while, on any machine.
 *
 * To be linked into a program: it takes the place of functions of the C library there. */
#ifndef SPEC_HOST_STANDING_TIME_H
#define SPEC_HOST_STANDING_TIME_H

#include <stdint.h>

/* Moves the clocks on, and ends the waits whose time is over then. */
void time_pass(int64_t milliseconds);

/* Returns once somebody waits, with a bound; answers how many such waits have begun. */
int time_await_wait(void);
/* Returns once more than so many have begun. */
void time_await_waits(int count);

/* The number of syncs that have begun. */
int time_syncs(void);
/* Syncs do not come to their end meanwhile. */
void time_hold_syncs(void);
void time_let_syncs_go(void);
/* Returns once one is held. */
void time_await_held(void);

#endif
