--- Serves the widget page, the console page, and what they load.
-- @module palenca.sandbox.control.static_files
local static_files = {}

local types = {
  html = "text/html; charset=utf-8",
  css = "text/css; charset=utf-8",
  js = "text/javascript; charset=utf-8",
  svg = "image/svg+xml",
}

-- No inline script, nothing from elsewhere: a page shows what a webhook's receiver responds.
local POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
  .. "connect-src 'self'; form-action 'self'; base-uri 'none'"

-- Any page may show the widget in a frame, as it may the hosted one, also a file or a web view; the
-- console shows the key.
local framed = { ["widget.html"] = true }

local function file(sandbox, name)
  local kind = types[name:match("%.(%l+)$") or ""]
  local text = kind and sandbox.assets and sandbox.assets(name)
  if not text then
    return {
      status = 404,
      body = "there is no such page\n",
      headers = { ["Content-Type"] = "text/plain; charset=utf-8" },
    }
  end
  return {
    status = 200,
    body = text,
    headers = {
      ["Content-Type"] = kind,
      ["Content-Security-Policy"] = POLICY .. (framed[name] and "" or "; frame-ancestors 'none'"),
      ["X-Content-Type-Options"] = "nosniff",
      ["Referrer-Policy"] = "no-referrer",
      ["Cache-Control"] = "no-cache",
    },
  }
end

local function page(name)
  return function(sandbox)
    return file(sandbox, name)
  end
end

--- Leads a browser to another page.
-- @tparam string target its path
-- @treturn table the response
function static_files.redirect(target)
  return {
    status = 302,
    body = "see " .. target .. "\n",
    headers = {
      ["Content-Type"] = "text/plain; charset=utf-8",
      ["Location"] = target,
      ["Vary"] = "Accept",
    },
  }
end

--- The widget page.
static_files.widget = page("widget.html")

local function asset(sandbox, request)
  return file(sandbox, request.ids.name)
end

local function icon(sandbox)
  return file(sandbox, "icon.svg")
end

--- The routes of this module. A response to HEAD is that to GET, whose body is not sent.
static_files.routes = {}
for _, method in ipairs { "GET", "HEAD" } do
  table.insert(static_files.routes, { method, "/widget", static_files.widget, public = true })
  table.insert(static_files.routes, { method, "/console", page("console.html"), public = true })
  table.insert(static_files.routes, { method, "/favicon.ico", icon, public = true })
  table.insert(static_files.routes, { method, "/assets/{name}", asset, public = true, ids = "any" })
end

return static_files
