/* Preloaded: looks names up as the system does, but for those of .example, which take two seconds
 * and are not found. */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int resolver(const char *name, const char *service, const struct addrinfo *hints,
                     struct addrinfo **result);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
  if (name != NULL && strstr(name, ".example") != NULL) {
    sleep(2);
    return EAI_NONAME;
  }
  resolver *next = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
  return next(name, service, hints, result);
}
