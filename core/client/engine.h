/* What a thread that runs an engine for another one needs of it, beyond palenca.h. */
#ifndef PALENCA_ENGINE_H
#define PALENCA_ENGINE_H

#include "call.h"

#pragma GCC visibility push(hidden)

/* Takes over a call whose `id` is its maker's choice; false without memory, the call is its maker's
 * then. */
bool engine_adopt(palenca_engine *engine, call *one);

#pragma GCC visibility pop

#endif
