/* The URLs of databases at a server. */
#ifndef PALENCA_HOST_STORE_POSTGRES_URL_H
#define PALENCA_HOST_STORE_POSTGRES_URL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the name of a database is the URL of one at PostgreSQL, and not a file. */
bool postgres_is_url(const char *name);

/* Copies a name, and a URL without the password in it, nor in its parameters; what has no room is
 * left out. */
void postgres_url_without_password(const char *name, char *to, size_t size);
/* The same, allocated; NULL: out of memory. */
char *postgres_url_for_people(const char *name);

/* Whether it can be read in one way only. Of a password whose `@`, `/` or `?` is not escaped libpq
 * takes the rest for a host, a port or a database, which it names in its errors. */
bool postgres_url_is_clear(const char *url);

#endif
