/* palenca.host: what the program's own Lua modules can do beyond plain Lua. */
#ifndef PALENCA_HOST_LUA_MODULE_H
#define PALENCA_HOST_LUA_MODULE_H

#include <lua.h>

/* Of a state that is made: palenca.host can be required, and os.execute and io.popen are ours. */
int lua_open_host(lua_State *L);

/* The parts of it; each adds its functions to the table on top. */
void lua_open_store(lua_State *L);           /* the event store, and the events in a file */
void lua_open_decisions(lua_State *L);       /* the ledger in a file; SHA-256 */
void lua_open_missing_events(lua_State *L);  /* events that are queued without a webhook */
void lua_open_recordings(lua_State *L);      /* recorded responses in a file */
void lua_open_forget(lua_State *L);          /* what is stored of a person */
void lua_open_backup(lua_State *L);          /* backups of a database */
void lua_open_threads(lua_State *L);         /* threads, signals: the main thread's */
void lua_open_receiver(lua_State *L);        /* the webhook endpoint: the main thread's */
void lua_open_admin_socket(lua_State *L);    /* the socket for commands: the main thread's */
void lua_open_own_thread(lua_State *L);      /* the running thread's own */
void lua_open_http_server(lua_State *L);     /* an HTTP server whose responses Lua makes */
void lua_open_files(lua_State *L);           /* files: the pages' own, and locks */
void lua_open_watch(lua_State *L);           /* a script's directory, watched for new versions */
void lua_open_limits(lua_State *L);          /* coroutines that run within limits */
void lua_open_versions(lua_State *L);        /* the libraries that the program uses */
void lua_open_service_manager(lua_State *L); /* what it passes and hears: the main thread's */
void lua_open_monitor(lua_State *L);         /* metrics and health, and who asks for them */

#endif
