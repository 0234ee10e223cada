/* Setting a palenca_error, for all of the client's files. */
#ifndef PALENCA_PROTOCOL_ERROR_H
#define PALENCA_PROTOCOL_ERROR_H

#include "palenca.h"

#pragma GCC visibility push(hidden)

/* Fills `error` (which may be NULL); always false, to be returned. */
bool palenca_error_set(palenca_error *error, palenca_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#pragma GCC visibility pop

#endif
