/* Lua unloads its modules when a state is closed. */
#include "pin.h"

#include <dlfcn.h>
#include <stddef.h>

/* By its own address, since no flag of the linker does it everywhere: that of GNU's linker (-z
 * nodelete) is not known to macOS, and LuaRocks hands on none. musl never unloads anything. The
 * handle is not closed, where RTLD_NODELETE is not known. A program itself cannot be opened so, nor
 * unloaded. */
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
  if (dladdr(&here, &found) != 0 && found.dli_fname != NULL)
    (void)dlopen(found.dli_fname, mode);
}
