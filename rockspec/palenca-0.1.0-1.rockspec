-- What LuaRocks builds and installs: the module for Lua 5.1 to 5.5 and LuaJIT. The program is built
-- with CMake.
rockspec_format = "3.0"
package = "palenca"
version = "0.1.0-1"
-- Where it is fetched from is decided when it is published; `luarocks make` builds what is here.
source = {
  url = "git+https://example.org/palenca.git",
  tag = "v0.1.0",
}
description = {
  summary = "Client for the Palenca API: verified income of gig workers",
  detailed = [[
    Reads profile, earnings and employment of workers who have connected their accounts, computes an
    income from them, and understands the API's webhooks. HTTP, retries, rate limit and paging are
    done by a core in C over libcurl.
  ]],
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.1, < 5.6", "lua-cjson >= 2.1" }
-- The libraries only: their headers are found by the compiler, and not where LuaRocks looks for them
-- on Debian.
external_dependencies = {
  CURL = { library = "curl" },
  CRYPTO = { library = "crypto" },
  ZLIB = { library = "z" },
}
build = {
  type = "builtin",
  modules = {
    ["palenca.core"] = {
      sources = {
        -- first those that include what may be missing
        "core/client/lazy_curl.c",
        "core/client/content_decoder.c",
        "core/client/protocol/signature.c",
        "core/binding/core.c",
        "core/binding/engine.c",
        "core/binding/engine_thread.c",
        "core/binding/json_rewrite.c",
        "core/binding/json_walk.c",
        "core/binding/locale.c",
        "core/binding/protocol.c",
        "core/binding/row_hash.c",
        "core/client/attempt_log.c",
        "core/client/call.c",
        "core/client/curl_request.c",
        "core/client/engine.c",
        "core/client/engine_thread.c",
        "core/client/fork_guard.c",
        "core/client/idle_sockets.c",
        "core/client/mpsc_queue.c",
        "core/client/poller.c",
        "core/client/rate_limit_file.c",
        "core/client/rate_limiters.c",
        "core/client/response_sink.c",
        "core/client/send_queues.c",
        "core/client/tls_session.c",
        "core/client/transport.c",
        "core/client/wakeup_socket.c",
        "core/client/protocol/error.c",
        "core/client/protocol/header.c",
        "core/client/protocol/http_date.c",
        "core/client/protocol/json_rewrite.c",
        "core/client/protocol/paging.c",
        "core/client/protocol/rate_window.c",
        "core/client/protocol/retry.c",
        "core/client/protocol/url.c",
        "core/client/protocol/webhook_scan.c",
        "core/common/buffer.c",
        "core/common/pin_code.c",
        "core/common/terminal_escape.c",
      },
      defines = { "_GNU_SOURCE" },
      incdirs = { "core/binding", "core/client", "core/common", "$(CURL_INCDIR)", "$(CRYPTO_INCDIR)", "$(ZLIB_INCDIR)" },
      -- libcurl is loaded when it is first needed, from that directory, too
      libdirs = { "$(CURL_LIBDIR)", "$(CRYPTO_LIBDIR)", "$(ZLIB_LIBDIR)" },
      libraries = { "crypto", "z", "pthread", "dl" },
    },
    palenca = "lua/palenca/init.lua",
    ["palenca.advice"] = "lua/palenca/advice.lua",
    ["palenca.client"] = "lua/palenca/client/init.lua",
    ["palenca.client.external_http"] = "lua/palenca/client/external_http.lua",
    ["palenca.client.page_reader"] = "lua/palenca/client/page_reader.lua",
    ["palenca.client.pager"] = "lua/palenca/client/pager.lua",
    ["palenca.client.resources"] = "lua/palenca/client/resources/init.lua",
    ["palenca.client.resources.accounts"] = "lua/palenca/client/resources/accounts.lua",
    ["palenca.client.resources.logins"] = "lua/palenca/client/resources/logins.lua",
    ["palenca.client.resources.lookups"] = "lua/palenca/client/resources/lookups.lua",
    ["palenca.client.resources.request_body"] = "lua/palenca/client/resources/request_body.lua",
    ["palenca.client.resources.users"] = "lua/palenca/client/resources/users.lua",
    ["palenca.client.resources.webhooks"] = "lua/palenca/client/resources/webhooks.lua",
    ["palenca.client.response"] = "lua/palenca/client/response.lua",
    ["palenca.errors"] = "lua/palenca/errors.lua",
    ["palenca.handlers"] = "lua/palenca/handlers.lua",
    ["palenca.income"] = "lua/palenca/income/init.lua",
    ["palenca.income.analyze"] = "lua/palenca/income/analyze.lua",
    ["palenca.income.api_amount"] = "lua/palenca/income/api_amount.lua",
    ["palenca.income.decide"] = "lua/palenca/income/decide.lua",
    ["palenca.income.exact"] = "lua/palenca/income/exact.lua",
    ["palenca.income.explain"] = "lua/palenca/income/explain.lua",
    ["palenca.income.fail"] = "lua/palenca/income/fail.lua",
    ["palenca.income.figures"] = "lua/palenca/income/figures.lua",
    ["palenca.income.labels"] = "lua/palenca/income/labels.lua",
    ["palenca.income.ledger"] = "lua/palenca/income/ledger.lua",
    ["palenca.income.merge"] = "lua/palenca/income/merge.lua",
    ["palenca.income.money"] = "lua/palenca/income/money.lua",
    ["palenca.income.percent"] = "lua/palenca/income/percent.lua",
    ["palenca.income.rule"] = "lua/palenca/income/rule.lua",
    ["palenca.income.sentences"] = "lua/palenca/income/sentences.lua",
    ["palenca.income.text_table"] = "lua/palenca/income/text_table.lua",
    ["palenca.log"] = "lua/palenca/log.lua",
    ["palenca.nginx"] = "lua/palenca/nginx/init.lua",
    ["palenca.nginx.dedup"] = "lua/palenca/nginx/dedup.lua",
    ["palenca.nginx.rate_limited_log"] = "lua/palenca/nginx/rate_limited_log.lua",
    ["palenca.nginx.settings"] = "lua/palenca/nginx/settings.lua",
    ["palenca.runtime"] = "lua/palenca/runtime/init.lua",
    ["palenca.runtime.blocking"] = "lua/palenca/runtime/blocking.lua",
    ["palenca.runtime.nginx"] = "lua/palenca/runtime/nginx.lua",
    ["palenca.runtime.nginx_lua_state"] = "lua/palenca/runtime/nginx_lua_state.lua",
    ["palenca.runtime.pending_calls"] = "lua/palenca/runtime/pending_calls.lua",
    ["palenca.timers"] = "lua/palenca/timers.lua",
    ["palenca.util.argcheck"] = "lua/palenca/util/argcheck.lua",
    ["palenca.util.cached_date"] = "lua/palenca/util/cached_date.lua",
    ["palenca.util.canonical_json"] = "lua/palenca/util/canonical_json.lua",
    ["palenca.util.date"] = "lua/palenca/util/date.lua",
    ["palenca.util.http_method"] = "lua/palenca/util/http_method.lua",
    ["palenca.util.json"] = "lua/palenca/util/json.lua",
    ["palenca.util.number_text"] = "lua/palenca/util/number_text.lua",
    ["palenca.util.redact"] = "lua/palenca/util/redact.lua",
    ["palenca.util.suggest"] = "lua/palenca/util/suggest.lua",
    ["palenca.webhook"] = "lua/palenca/webhook/init.lua",
    ["palenca.webhook.signature_config"] = "lua/palenca/webhook/signature_config.lua",
  },
}
