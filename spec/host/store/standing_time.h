/* Time for a test: the clocks stand still until the test moves them, and syncs can be held. So what
 * has to come at once can be distinguished from what comes after a while, on any machine.
 *
 * To be linked into a program: it takes the place of functions of the C library there. */
#ifndef SPEC_HOST_STANDING_TIME_H
#define SPEC_HOST_STANDING_TIME_H

#include <stdint.h>

/* Moves the clocks on. */
void time_pass(int64_t milliseconds);
/* Moves them on by so much with each look at one of them: what goes by time comes to an end, after
 * as many steps on any machine. 0: no more. */
void time_pass_with_looks(int64_t milliseconds);
/* Sets the Unix clock alone; below 0: back. */
void time_set(int64_t milliseconds);

/* The number of syncs, and of writes at an offset, that have started. */
int time_syncs(void);
int time_writes(void);
/* Syncs do not come to their end meanwhile. */
void time_hold_syncs(void);
void time_let_syncs_go(void);
/* Returns once one is held. */
void time_await_held(void);

#endif
