/* Tests of the module in a program that is somebody else's: it has functions with the names of the
 * module's own, and goes on when its Lua state has ended, with whatever still runs. */
#include "stub_server.h"
#include "support/unit_test.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The program's own functions, which are exported ---- */

void *transport_new(int cars);
void *call_new(void);
void *palenca_engine_new(void);

void *transport_new(int cars) {
  (void)cars;
  fputs("the module has called the program's transport_new\n", stderr);
  abort();
}

void *call_new(void) {
  fputs("the module has called the program's call_new\n", stderr);
  abort();
}

void *palenca_engine_new(void) {
  fputs("the module has called the program's palenca_engine_new\n", stderr);
  abort();
}

/* ---- Its resolver, which hangs until it is let go ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hangs;
static int entered;
static pthread_key_t at_end_of_thread;
static sem_t ended;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
  (void)name, (void)service, (void)hints, (void)result;
  pthread_setspecific(at_end_of_thread, &ended);
  pthread_mutex_lock(&mutex);
  entered++;
  pthread_cond_broadcast(&changed);
  while (hangs) {
    pthread_cond_wait(&changed, &mutex);
  }
  pthread_mutex_unlock(&mutex);
  return EAI_NONAME;
}

/* When all is done that the thread had to do after the resolver. */
static void on_end_of_thread(void *unused) {
  (void)unused;
  (void)sem_post(&ended);
}

static void hang(void) {
  pthread_mutex_lock(&mutex);
  hangs = true;
  entered = 0;
  pthread_mutex_unlock(&mutex);
}

/* A thread may get here after its call has timed out. */
static void wait_until_hanging(int threads) {
  pthread_mutex_lock(&mutex);
  while (entered < threads) {
    pthread_cond_wait(&changed, &mutex);
  }
  pthread_mutex_unlock(&mutex);
}

static void let_go(int threads) {
  pthread_mutex_lock(&mutex);
  hangs = false;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  while (threads > 0) {
    if (sem_wait(&ended) == 0) {
      threads--;
    } else {
      assert_int_equal(errno, EINTR);
    }
  }
}

/* ---- Lua states ---- */

/* With the module that was built here, or another one that is to be tried. */
static lua_State *open_state(void) {
  const char *directory = getenv("SPEC_MODULES");
  lua_State *L = luaL_newstate();
  assert_non_null(L);
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_pushfstring(L, "%s/?.so", directory != NULL ? directory : MODULES);
  lua_setfield(L, -2, "cpath");
  lua_pop(L, 1);
  return L;
}

/* What a chunk returns, as text, for a URL and a timeout in seconds. */
static void assert_returns(lua_State *L, const char *chunk, const char *url, double timeout,
                           const char *expected) {
  assert_int_equal(luaL_loadstring(L, chunk), 0);
  lua_pushstring(L, url);
  lua_pushnumber(L, timeout);
  if (lua_pcall(L, 2, 1, 0) != 0) {
    fail_msg("%s", lua_tostring(L, -1));
  }
  assert_string_equal(lua_tostring(L, -1), expected);
  lua_pop(L, 1);
}

static size_t descriptors(void) {
  DIR *all = opendir("/proc/self/fd");
  assert_non_null(all);
  size_t count = 0;
  while (readdir(all) != NULL) {
    count++;
  }
  closedir(all);
  return count;
}

/* With either kind of engine. */
static const char call[] =
    "local url, timeout = ...\n"
    "local core = require('palenca.core')\n"
    "local results = {}\n"
    "for i, engine in ipairs { core.engine(), (core.engine_thread()) } do\n"
    "  assert(engine:submit { method = 'GET', url = url, timeout = timeout, proxy = '' })\n"
    "  local pause, result = core.engine(), nil\n"
    "  repeat engine:step(1) pause:step(0.001) result = engine:take() until result\n"
    "  results[i] = tostring(result.kind or result.status)\n"
    "end\n"
    "return table.concat(results, ' ')";

/* The engine's thread is at it when the state ends. */
static const char call_and_leave[] =
    "local url, timeout = ...\n"
    "thread = require('palenca.core').engine_thread()\n"
    "return thread:submit { method = 'GET', url = url, timeout = timeout, proxy = '' } .. ''";

/* ---- Tests ---- */

static int watch_threads(void **state) {
  (void)state;
  return pthread_key_create(&at_end_of_thread, on_end_of_thread) != 0 ||
         sem_init(&ended, 0, 0) != 0;
}

#define LUA_STATE_TEST(name) FIXTURE_TEST(name, void *nothing, watch_threads, NULL)

LUA_STATE_TEST(test_the_module_calls_its_own_functions) {
  static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  static const stub_response responses[] = {{text, sizeof text - 1, STUB_KEEP}};
  stub_server *server = stub_start(&(stub_script){responses, LENGTH(responses), 0});
  assert_non_null(server);
  lua_State *L = open_state();
  assert_returns(L, call, stub_url(server), 60, "200 200");
  lua_close(L);
  stub_stop(server);
}

LUA_STATE_TEST(test_a_resolver_that_hangs_may_outlive_the_state) {
  for (int round = 0; round < 3; round++) {
    hang();
    lua_State *L = open_state();
    assert_returns(L, call, "http://nobody.example/", 0.1, "timeout timeout");
    lua_close(L);
    wait_until_hanging(2);
    let_go(2);
  }
}

LUA_STATE_TEST(test_a_state_that_ends_ends_its_calls_and_threads) {
  static const stub_response responses[] = {{NULL, 0, STUB_KEEP}};
  stub_server *server = stub_start(&(stub_script){responses, LENGTH(responses), 0});
  assert_non_null(server);
  size_t before = 0;
  for (int round = 0; round < 20; round++) {
    lua_State *L = open_state();
    assert_returns(L, call_and_leave, stub_url(server), 60, "1");
    lua_close(L);
    if (round == 2) {
      before = descriptors();
    }
  }
  stub_stop(server);
  server = NULL;
  assert_true(descriptors() <= before);
}
