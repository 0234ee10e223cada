/* Keeps the code that a thread runs in memory. */
#ifndef PALENCA_COMMON_PIN_CODE_H
#define PALENCA_COMMON_PIN_CODE_H

#pragma GCC visibility push(hidden)

/* Whatever this code is a part of, such as a Lua module, stays loaded from now on until the process
 * ends, and so do the libraries that it needs. */
void pin_code(void);

#pragma GCC visibility pop

#endif
