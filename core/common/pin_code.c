/* Keeps the code that a thread runs in memory: Lua unloads its modules when a state is closed. */
#include "pin_code.h"

#include <dlfcn.h>
#include <stddef.h>

/* At run time, since no flag of the linker does it everywhere: GNU's -z nodelete is not known to
 * macOS, and LuaRocks passes none on. musl never unloads anything. Where there is no RTLD_NODELETE,
 * it is the handle that keeps the code, for it is not closed. For the program itself dlopen fails,
 * and nothing has to be done. */
void pin_code(void) {
  static const char here = 0;
  Dl_info found;
  int mode = RTLD_LAZY | RTLD_LOCAL;
#ifdef RTLD_NOLOAD
  mode |= RTLD_NOLOAD;
#endif
#ifdef RTLD_NODELETE
  mode |= RTLD_NODELETE;
#endif
  if (dladdr(&here, &found) != 0 && found.dli_fname != NULL) {
    (void)dlopen(found.dli_fname, mode);
  }
}
