/* The least that a call can cost: curl's multi handle over a kept connection, with the same request
 * as the module's, and lua-cjson called from C for body and response. direct URL CA CALLS; prints
 * the microseconds of CPU of a call. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
  char data[1 << 16];
  size_t size;
} response;

static size_t on_body(char *data, size_t unit, size_t count, void *context) {
  response *to = context;
  if (to->size + unit * count > sizeof to->data) {
    return 0;
  }
  memcpy(to->data + to->size, data, unit * count);
  to->size += unit * count;
  return unit * count;
}

static void perform(CURLM *multi, CURL *easy) {
  int running = 1, left;
  curl_multi_add_handle(multi, easy);
  curl_multi_perform(multi, &running);
  while (running > 0) {
    curl_multi_poll(multi, NULL, 0, 1000, NULL);
    curl_multi_perform(multi, &running);
  }
  CURLMsg *message = curl_multi_info_read(multi, &left);
  if (message == NULL || message->data.result != CURLE_OK) {
    exit(1);
  }
  curl_multi_remove_handle(multi, easy);
}

/* Leaves the JSON of a request's body at the top. */
static const char *encode(lua_State *L) {
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 3);
  lua_pushliteral(L, "2020-01-01");
  lua_setfield(L, -2, "start_date");
  lua_pushliteral(L, "2026-01-01");
  lua_setfield(L, -2, "end_date");
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, 1);
  lua_setfield(L, -2, "page");
  lua_pushinteger(L, 3);
  lua_setfield(L, -2, "items_per_page");
  lua_setfield(L, -2, "options");
  lua_call(L, 1, 1);
  return lua_tostring(L, -1);
}

static CURL *new_easy(const char *ca_file, response *body) {
  CURL *easy = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(NULL, "x-api-key: bench");
  headers = curl_slist_append(headers, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Accept: application/json");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "palenca");
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); /* the signals cost four system calls */
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
  return easy;
}

int main(int count, char **values) {
  static response body;
  if (count != 4) {
    return 2;
  }
  long calls = strtol(values[3], NULL, 10);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM *multi = curl_multi_init();
  CURL *easy = new_easy(values[2], &body);
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (luaL_dostring(L, "return require('cjson').decode, require('cjson').encode")) {
    return 1;
  }
  clock_t began = 0;
  for (long i = -500; i < calls; i++) {
    if (i == 0) {
      began = clock();
    }
    body.size = 0;
    curl_easy_setopt(easy, CURLOPT_URL, values[1]);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, encode(L));
    perform(multi, easy);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, body.data, body.size);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "data");
    if (!lua_istable(L, -1)) {
      return 1;
    }
    lua_settop(L, 2);
  }
  printf("%.1f\n", (double)(clock() - began) * 1e6 / CLOCKS_PER_SEC / (double)calls);
  return 0;
}
