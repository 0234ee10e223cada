-- What pg_dump has written of a database of version 1 of the schema at PostgreSQL, whose process was
-- killed: events in all states, and some that wait behind others of their account.
CREATE SCHEMA palenca;
CREATE FUNCTION palenca.begin_batch(host bigint, host_epoch bigint, number bigint, lease_ms bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$ BEGIN UPDATE palenca.hosts SET batch = number, batch_ids = NULL, expires_at = clock_timestamp() + lease_ms * interval '1 millisecond' WHERE id = host AND epoch = host_epoch AND NOT is_dead; IF NOT FOUND THEN RAISE EXCEPTION 'the leases of this process have expired' USING ERRCODE = 'PL001'; END IF; END $$;
CREATE FUNCTION palenca.begin_lease(host bigint, host_epoch bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$ BEGIN PERFORM set_config('synchronous_commit', 'off', true); PERFORM 1 FROM palenca.hosts WHERE id = host AND epoch = host_epoch AND NOT is_dead FOR SHARE; IF NOT FOUND THEN RAISE EXCEPTION 'the leases of this process have expired' USING ERRCODE = 'PL001'; END IF; END $$;
CREATE FUNCTION palenca.open_host(INOUT host bigint, host_name text, lease_ms bigint, OUT host_epoch bigint, OUT last_batch bigint, OUT last_ids bigint[]) RETURNS record
    LANGUAGE plpgsql
    AS $$ BEGIN UPDATE palenca.hosts SET epoch = epoch + 1, expires_at = clock_timestamp() + lease_ms * interval '1 millisecond' WHERE id = host AND NOT is_dead; SELECT epoch, batch, batch_ids INTO host_epoch, last_batch, last_ids FROM palenca.hosts WHERE id = host AND NOT is_dead; IF NOT FOUND THEN host := nextval('palenca.host_ids'); host_epoch := 1; INSERT INTO palenca.hosts VALUES (host, host_name, clock_timestamp(), clock_timestamp() + lease_ms * interval '1 millisecond', 1, 0, NULL, false); END IF; END $$;
CREATE FUNCTION palenca.platform_of(body bytea) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $$ BEGIN RETURN convert_from(body, 'UTF8')::json #>> '{data,platform}'; EXCEPTION WHEN data_exception OR program_limit_exceeded THEN RETURN NULL; END $$;
CREATE TABLE palenca.attempts (
    id bigint NOT NULL,
    replay integer NOT NULL,
    attempt integer NOT NULL,
    started_at bigint,
    duration bigint,
    outcome smallint NOT NULL,
    error text,
    lines text,
    lines_left_out bigint
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
CREATE TABLE palenca.bodies (
    id bigint NOT NULL,
    hash bytea,
    body bytea NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
CREATE SEQUENCE palenca.event_ids;
CREATE TABLE palenca.events (
    id bigint NOT NULL,
    action text NOT NULL,
    account_id text,
    state smallint NOT NULL,
    attempts integer NOT NULL,
    replays integer NOT NULL,
    received_at bigint NOT NULL,
    due_at timestamp with time zone,
    finished_at timestamp with time zone,
    error text,
    owner bigint
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
CREATE SEQUENCE palenca.host_ids;
CREATE TABLE palenca.hosts (
    id bigint NOT NULL,
    name text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    epoch bigint NOT NULL,
    batch bigint NOT NULL,
    batch_ids bigint[],
    is_dead boolean NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_threshold='100');
CREATE TABLE palenca.receipts (
    hash bytea NOT NULL,
    event bigint NOT NULL,
    received_at timestamp with time zone NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
CREATE TABLE palenca.schema_version (
    version integer NOT NULL
);
CREATE TABLE palenca.serving (
    dedup_window_ms bigint NOT NULL
);
CREATE TABLE palenca.timers (
    name text NOT NULL,
    interval_ms bigint NOT NULL,
    due_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone NOT NULL,
    owner bigint
);
CREATE TABLE palenca.traces (
    id bigint NOT NULL,
    traceparent text,
    request_id text
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
INSERT INTO palenca.attempts VALUES (1, 0, 1, 1732917379430, 1, 1, 'no such person', NULL, NULL);
INSERT INTO palenca.attempts VALUES (1, 0, 2, 1732917384003, 0, 2, 'no such person', NULL, NULL);
INSERT INTO palenca.attempts VALUES (2, 0, 1, 1732917384169, 0, 0, NULL, NULL, NULL);
INSERT INTO palenca.attempts VALUES (3, 0, 1, 1732917384211, 0, 1, 'not yet', NULL, NULL);
INSERT INTO palenca.bodies VALUES (1, '\xf5f6be51d7e194628cfc9d1f519b455d705b3c69b5bfca9911f4cd600e29f94d', '\x7b2264617461223a7b22706c6174666f726d223a2275626572222c22776562686f6f6b5f616374696f6e223a226c6f67696e2e73756363657373222c226163636f756e745f6964223a2264656164222c2265787465726e616c5f6964223a2231227d2c22776562686f6f6b5f75726c223a22687474703a5c2f5c2f3132372e302e302e315c2f31227d');
INSERT INTO palenca.bodies VALUES (2, '\x971c0f25a82c6b8d6ae2439c80848acdd1881feb958b5c5b26ba7868f68b6ab2', '\x7b2264617461223a7b22706c6174666f726d223a2275626572222c22776562686f6f6b5f616374696f6e223a226c6f67696e2e73756363657373222c226163636f756e745f6964223a22646f6e65222c2265787465726e616c5f6964223a2232227d2c22776562686f6f6b5f75726c223a22687474703a5c2f5c2f3132372e302e302e315c2f32227d');
INSERT INTO palenca.bodies VALUES (3, '\xda5b0d1979c013f9cbc8eedf3c3d638873de3194682990deab9eb50d96fc62a7', '\x7b2264617461223a7b22706c6174666f726d223a2275626572222c22776562686f6f6b5f616374696f6e223a226c6f67696e2e73756363657373222c226163636f756e745f6964223a2272657472696564222c2265787465726e616c5f6964223a2233227d2c22776562686f6f6b5f75726c223a22687474703a5c2f5c2f3132372e302e302e315c2f33227d');
INSERT INTO palenca.bodies VALUES (4, '\xef724202bba5a1b362e89ead302b3411ba65bfd26e34f393340232ad628c3dda', '\x7b2264617461223a7b22706c6174666f726d223a2275626572222c22776562686f6f6b5f616374696f6e223a226c6f67696e2e73756363657373222c226163636f756e745f6964223a2272756e6e696e67222c2265787465726e616c5f6964223a2234227d2c22776562686f6f6b5f75726c223a22687474703a5c2f5c2f3132372e302e302e315c2f34227d');
INSERT INTO palenca.bodies VALUES (5, '\xb9b4d74cb97bef350659ac8174a2e9ac47929380db0186768201ed93dc63be1d', '\x7b2264617461223a7b22706c6174666f726d223a2275626572222c22776562686f6f6b5f616374696f6e223a226c6f67696e2e73756363657373222c226163636f756e745f6964223a2272657472696564222c2265787465726e616c5f6964223a2235227d2c22776562686f6f6b5f75726c223a22687474703a5c2f5c2f3132372e302e302e315c2f35227d');
INSERT INTO palenca.bodies VALUES (6, '\xde24de4ece9e51c2bdfb4cd32501fb25e4cb6969de06f0bf1129e0997f7ff40b', '\x7b2264617461223a7b22706c6174666f726d223a2275626572222c22776562686f6f6b5f616374696f6e223a226c6f67696e2e73756363657373222c226163636f756e745f6964223a2272756e6e696e67222c2265787465726e616c5f6964223a2236227d2c22776562686f6f6b5f75726c223a22687474703a5c2f5c2f3132372e302e302e315c2f36227d');
INSERT INTO palenca.bodies VALUES (7, '\xfa84c9143f99524031c166472cd7aca50b3359a2fd20870b72d212af5cec5f8b', '\x7b2264617461223a7b22706c6174666f726d223a2275626572222c22776562686f6f6b5f616374696f6e223a226c6f67696e2e73756363657373222c226163636f756e745f6964223a2272756e6e696e67222c2265787465726e616c5f6964223a2237227d2c22776562686f6f6b5f75726c223a22687474703a5c2f5c2f3132372e302e302e315c2f37227d');
INSERT INTO palenca.events VALUES (1, 'login.success', 'dead', 4, 2, 0, 1732917379425, NULL, '2024-11-29 21:56:24.009537+00', 'no such person', NULL);
INSERT INTO palenca.events VALUES (2, 'login.success', 'done', 3, 1, 0, 1732917384134, NULL, '2024-11-29 21:56:24.174277+00', NULL, NULL);
INSERT INTO palenca.events VALUES (3, 'login.success', 'retried', 2, 1, 0, 1732917384204, '2024-11-29 21:56:28.926065+00', NULL, 'not yet', NULL);
INSERT INTO palenca.events VALUES (4, 'login.success', 'running', 1, 1, 0, 1732917384246, NULL, NULL, NULL, 1);
INSERT INTO palenca.events VALUES (5, 'login.success', 'retried', 0, 0, 0, 1732917384281, NULL, NULL, NULL, NULL);
INSERT INTO palenca.events VALUES (6, 'login.success', 'running', 0, 0, 0, 1732917384283, NULL, NULL, NULL, NULL);
INSERT INTO palenca.events VALUES (7, 'login.success', 'running', 0, 0, 0, 1732917384285, NULL, NULL, NULL, NULL);
INSERT INTO palenca.hosts VALUES (1, 'vm', '2024-11-29 21:56:19.409018+00', '2024-11-29 21:56:39.285173+00', 1, 11, '{7}', false);
INSERT INTO palenca.receipts VALUES ('\xf5f6be51d7e194628cfc9d1f519b455d705b3c69b5bfca9911f4cd600e29f94d', 1, '2024-11-29 21:56:19.426255+00');
INSERT INTO palenca.receipts VALUES ('\x971c0f25a82c6b8d6ae2439c80848acdd1881feb958b5c5b26ba7868f68b6ab2', 2, '2024-11-29 21:56:24.137593+00');
INSERT INTO palenca.receipts VALUES ('\xda5b0d1979c013f9cbc8eedf3c3d638873de3194682990deab9eb50d96fc62a7', 3, '2024-11-29 21:56:24.20484+00');
INSERT INTO palenca.receipts VALUES ('\xef724202bba5a1b362e89ead302b3411ba65bfd26e34f393340232ad628c3dda', 4, '2024-11-29 21:56:24.246778+00');
INSERT INTO palenca.receipts VALUES ('\xb9b4d74cb97bef350659ac8174a2e9ac47929380db0186768201ed93dc63be1d', 5, '2024-11-29 21:56:24.28185+00');
INSERT INTO palenca.receipts VALUES ('\xde24de4ece9e51c2bdfb4cd32501fb25e4cb6969de06f0bf1129e0997f7ff40b', 6, '2024-11-29 21:56:24.283746+00');
INSERT INTO palenca.receipts VALUES ('\xfa84c9143f99524031c166472cd7aca50b3359a2fd20870b72d212af5cec5f8b', 7, '2024-11-29 21:56:24.285136+00');
INSERT INTO palenca.schema_version VALUES (1);
INSERT INTO palenca.serving VALUES (300000);
INSERT INTO palenca.timers VALUES ('every 86400 s', 86400000, '2024-11-30 21:56:19.41929+00', '2024-11-29 21:56:19.426979+00', NULL);
SELECT pg_catalog.setval('palenca.event_ids', 7, true);
SELECT pg_catalog.setval('palenca.host_ids', 1, true);
ALTER TABLE ONLY palenca.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id, replay, attempt);
ALTER TABLE ONLY palenca.bodies
    ADD CONSTRAINT bodies_pkey PRIMARY KEY (id);
ALTER TABLE ONLY palenca.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY palenca.hosts
    ADD CONSTRAINT hosts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY palenca.receipts
    ADD CONSTRAINT receipts_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY palenca.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (name);
ALTER TABLE ONLY palenca.traces
    ADD CONSTRAINT traces_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX events_busy ON palenca.events USING btree (account_id) WHERE (state = ANY (ARRAY[1, 2]));
CREATE INDEX events_due ON palenca.events USING btree (due_at) WHERE (state = 2);
CREATE INDEX events_finished ON palenca.events USING btree (state, finished_at) WHERE (state >= 3);
CREATE INDEX events_order ON palenca.events USING btree (account_id, id) WHERE (state < 3);
CREATE INDEX events_owner ON palenca.events USING btree (owner) WHERE (state = 1);
CREATE INDEX events_received ON palenca.events USING btree (id) WHERE (state = 0);
