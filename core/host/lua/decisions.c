/* host.decisions: what people ask of the ledger in a file; own_thread.decision, by which a
 * handler's decision goes to its event's end. */
#include "decisions.h"

#include "module.h"
#include "store/admin/decisions.h"
#include "visitor.h"

#include <lauxlib.h>

#define DECISION_TYPE "palenca.decision"

/* ---- Of a worker ---- */

static int decision_gc(lua_State *L) {
  event_decision **handle = luaL_checkudata(L, 1, DECISION_TYPE);
  event_decision_free(*handle);
  *handle = NULL;
  return 0;
}

static ledger_text check_text(lua_State *L, int index) {
  ledger_text text;
  text.data = luaL_checklstring(L, index, &text.size);
  return text;
}

/* own_thread.decision(facts, rows, details, account_id, user_id) → a decision for own_thread.finish
 * | nil, message. The first three are JSON. */
static int new_decision(lua_State *L) {
  const event_decision_parts parts = {.facts = check_text(L, 1),
                                      .rows = check_text(L, 2),
                                      .details = check_text(L, 3),
                                      .account_id = check_text(L, 4),
                                      .user_id = check_text(L, 5)};
  host_error error;
  event_decision **handle = lua_newuserdatauv(L, sizeof *handle, 0);
  *handle = NULL;
  luaL_setmetatable(L, DECISION_TYPE);
  *handle = event_decision_new(&parts, &error);
  return *handle != NULL ? 1 : push_error(L, &error);
}

void lua_add_decision(lua_State *L) {
  if (luaL_newmetatable(L, DECISION_TYPE)) {
    lua_pushcfunction(L, decision_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, new_decision);
  lua_setfield(L, -2, "decision");
}

event_decision **lua_check_decision(lua_State *L, int index) {
  return lua_isnoneornil(L, index) ? NULL : luaL_checkudata(L, index, DECISION_TYPE);
}

/* ---- Of people, on a file ---- */

static int push_decision(lua_State *L) {
  const decision_summary *decision = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 14);
  set_integer(L, "number", decision->number);
  set_integer(L, "event_id", decision->event_id);
  set_integer(L, "attempt", decision->attempt);
  set_integer(L, "replay", decision->replay);
  lua_pushnumber(L, (lua_Number)decision->recorded_at / 1000);
  lua_setfield(L, -2, "recorded_at");
  set_text(L, "facts", decision->facts);
  set_text(L, "rows", decision->rows);
  set_text(L, "details", decision->details);
  set_text(L, "account_id", decision->account_id);
  set_text(L, "user_id", decision->user_id);
  lua_pushboolean(L, !decision->has_data);
  lua_setfield(L, -2, "is_removed");
  set_text(L, "rows_digest", decision->rows_digest);
  set_text(L, "previous", decision->previous);
  set_text(L, "hash", decision->hash);
  lua_call(L, 1, 0);
  return 0;
}

static bool each_decision(void *context, const decision_summary *decision) {
  return visit(context, push_decision, decision);
}

static int64_t integer_field(lua_State *L, const char *name) {
  lua_getfield(L, 2, name);
  return luaL_optinteger(L, -1, 0);
}

/* host.decisions.list(path, {number=, event_id=, account_id=, user_id=, since=, limit=,
 * with_rows=}, each) → true | nil, message */
static int list(lua_State *L) {
  host_error error;
  store_visitor visitor = {.L = L, .function = 3};
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  decision_filter filter = {.number = integer_field(L, "number"),
                            .event_id = integer_field(L, "event_id"),
                            .limit = integer_field(L, "limit")};
  lua_getfield(L, 2, "since");
  filter.since = (int64_t)(luaL_optnumber(L, -1, 0) * 1000);
  lua_getfield(L, 2, "with_rows");
  filter.with_rows = lua_toboolean(L, -1);
  lua_getfield(L, 2, "account_id");
  filter.account_id = luaL_optstring(L, -1, NULL);
  lua_getfield(L, 2, "user_id");
  filter.user_id = luaL_optstring(L, -1, NULL);
  bool ok = decision_list(path, &filter, each_decision, &visitor, &error);
  return end_visits(L, &visitor, ok, &error);
}

static int push_problem(lua_State *L) {
  static const char *const kinds[] = {
      [LEDGER_CHANGED] = "changed",         [LEDGER_MISSING] = "missing",
      [LEDGER_INSERTED] = "inserted",       [LEDGER_MOVED] = "moved",
      [LEDGER_UNLINKED] = "unlinked",       [LEDGER_CUT] = "cut",
      [LEDGER_NOT_REMOVED] = "not_removed", [LEDGER_HEAD] = "head",
      [LEDGER_EXPECTED] = "expected",
  };
  const ledger_problem *problem = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 3);
  set_text(L, "kind", kinds[problem->kind]);
  set_integer(L, "number", problem->number);
  set_integer(L, "other", problem->other);
  lua_call(L, 1, 0);
  return 0;
}

static void each_problem(void *context, const ledger_problem *problem) {
  store_visitor *visitor = context;
  if (!visitor->failed) {
    (void)visit(visitor, push_problem, problem);
  }
}

/* host.decisions.verify(path, number, hash or nil, each) → {first=, last=, decisions=, removed=,
 * problems=, head=} | nil, message */
static int verify(lua_State *L) {
  host_error error;
  ledger_report report;
  store_visitor visitor = {.L = L, .function = 4};
  const char *path = luaL_checkstring(L, 1);
  int64_t number = luaL_optinteger(L, 2, 0);
  const char *hash = luaL_optstring(L, 3, NULL);
  luaL_checktype(L, 4, LUA_TFUNCTION);
  lua_settop(L, 4);
  bool ok = decision_verify(path, number, hash, each_problem, &visitor, &report, &error);
  if (visitor.failed) {
    return lua_error(L);
  }
  if (!ok) {
    return push_error(L, &error);
  }
  lua_createtable(L, 0, 6);
  set_integer(L, "first", report.first);
  set_integer(L, "last", report.last);
  set_integer(L, "decisions", report.decisions);
  set_integer(L, "removed", report.removed);
  set_integer(L, "problems", report.problems);
  set_text(L, "head", report.head);
  return 1;
}

/* host.sha256(text) → the digest, in hexadecimal */
static int sha256(lua_State *L) {
  const ledger_text text = check_text(L, 1);
  unsigned char digest[LEDGER_DIGEST_SIZE];
  char hex[LEDGER_HEX_SIZE];
  if (!ledger_digest(text.data, text.size, digest)) {
    return luaL_error(L, "out of memory");
  }
  ledger_hex(digest, hex);
  lua_pushstring(L, hex);
  return 1;
}

void lua_open_decisions(lua_State *L) {
  static const luaL_Reg functions[] = {{"list", list}, {"verify", verify}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "decisions");
  lua_pushcfunction(L, sha256);
  lua_setfield(L, -2, "sha256");
}
