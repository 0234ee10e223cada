/* A Lua module in C, for any Lua: when it is required, it sets the locale of the process as the
 * environment says. Other libraries do so without a script knowing it. */
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((visibility("default"))) int luaopen_process_locale(void *lua);

int luaopen_process_locale(void *lua) {
  (void)lua;
  const char *name = setlocale(LC_ALL, "");
  locale_t own = uselocale(LC_GLOBAL_LOCALE);
  bool is_comma = name != NULL && localeconv()->decimal_point[0] == ',';
  uselocale(own);
  if (!is_comma) {
    fputs("process_locale: the environment names no locale with a decimal comma\n", stderr);
    abort();
  }
  return 0;
}
