---@meta palenca.nginx
-- Made by spec/support/annotations of the reference.

--- The module at home in nginx and OpenResty: an endpoint for webhooks, and clients that are set up in the configuration.
local nginx = {}

---@class palenca.nginx.webhook.options
---@field signature boolean? `false`: none is asked for, whatever is set for other endpoints in nginx variables or in the environment; `true`: nothing is taken (500) unless one is asked for; default: it is asked for if that is set, and if not, a warning says so once for each worker. As a variable, `set $palenca_signature off;` or `on`
---@field secrets string[]? any of them is good, so that one can be replaced by the next; as a variable, `$palenca_secrets`, separated by spaces; default `$PALENCA_WEBHOOK_SECRET` of the environment, separated by spaces
---@field signature_header string? the header that holds a webhook's signature; without a good one: 401
---@field signature_digest string? `sha1`, `sha256` (default), `sha384` or `sha512`
---@field signature_encoding string? `hex` (default) or `base64`
---@field signature_prefix string? what stands before the signature, such as `sha256=`
---@field max_body number? bytes; default 65536
---@field dict string? the `lua_shared_dict` in which deliveries are remembered; default `palenca`
---@field redelivery_window number? seconds that a delivery is remembered; default 300; 0: not at all
---@field redelivery_lease number? seconds; default 30. While handlers wait, their worker keeps renewing the lease of the event. If it is not renewed for that long, since the worker has ended, or a handler has blocked it, the event may be handled anew
---@field redelivery_wait number? seconds that a duplicate waits for the outcome; default 25, since a sender times out after 30
---@field forward string? a location, such as `/serve` or `@serve`

--- Responds to a webhook, in `content_by_lua`.
---@param options? palenca.nginx.webhook.options
function nginx.webhook(options) end

--- The client that nginx variables describe: `$palenca_api_key`, `$palenca_base_url` and so on, as the options of `palenca.new`, which has the rest from the environment. One is made for each combination, and used again.
---@return palenca.Client
function nginx.client() end

return nginx
