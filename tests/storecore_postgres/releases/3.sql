CREATE SCHEMA kept_store;
CREATE FUNCTION kept_store.add_bar_column(column_name text, column_kind text, place text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    each regclass;
BEGIN
    FOREACH each IN ARRAY array_remove(
        ARRAY[to_regclass('"kept_store".bars'), to_regclass('"kept_store".bar_history')], NULL
    ) LOOP
        EXECUTE format(
            'ALTER TABLE %s ADD COLUMN %I %s', each, place,
            CASE column_kind
                WHEN 'float64' THEN 'float8'
                WHEN 'int64' THEN 'int8'
                WHEN 'bool' THEN 'bool'
                WHEN 'string' THEN 'text COLLATE "C"'
                WHEN 'timestamp' THEN 'timestamptz'
            END
        );
    END LOOP;
    INSERT INTO "kept_store".bar_columns VALUES (column_name, column_kind, place);
    INSERT INTO "kept_store".about
    SELECT 'columns', count(*)::text FROM "kept_store".bar_columns
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
    PERFORM "kept_store".use_version_2();
END $$;
CREATE FUNCTION kept_store.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only'
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION kept_store.refuse_outdated() RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'another session has written the same row meanwhile'
        USING ERRCODE = 'serialization_failure';
END $$;
CREATE FUNCTION kept_store.use_version_2() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    UPDATE "kept_store".about SET value = '2' WHERE key = 'version' AND value = '1'
$$;
CREATE TABLE kept_store.about (
    key text NOT NULL,
    value text NOT NULL
);
CREATE TABLE kept_store.audit_heads (
    log text NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL
);
CREATE TABLE kept_store.bar_columns (
    name text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    stored_as text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE kept_store.bar_history (
    symbol text NOT NULL COLLATE pg_catalog."C",
    timeframe text NOT NULL COLLATE pg_catalog."C",
    date timestamp with time zone NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision,
    exact_volume bigint,
    recorded timestamp with time zone NOT NULL,
    replaced timestamp with time zone NOT NULL,
    vwap double precision,
    venue text COLLATE pg_catalog."C"
);
CREATE TABLE kept_store.bars (
    symbol text NOT NULL COLLATE pg_catalog."C",
    timeframe text NOT NULL COLLATE pg_catalog."C",
    date timestamp with time zone NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision,
    exact_volume bigint,
    recorded timestamp with time zone NOT NULL,
    vwap double precision,
    venue text COLLATE pg_catalog."C"
);
CREATE TABLE kept_store.decisions (
    seq bigint NOT NULL,
    day date NOT NULL,
    strategy text NOT NULL COLLATE pg_catalog."C",
    logged_at timestamp with time zone NOT NULL,
    record json NOT NULL
);
CREATE TABLE kept_store.event_history (
    id bigint NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    symbol text NOT NULL COLLATE pg_catalog."C",
    document json NOT NULL,
    recorded timestamp with time zone NOT NULL,
    replaced timestamp with time zone NOT NULL
);
CREATE TABLE kept_store.events (
    id bigint NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    symbol text NOT NULL COLLATE pg_catalog."C",
    document json NOT NULL,
    recorded timestamp with time zone NOT NULL
);
ALTER TABLE kept_store.events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME kept_store.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE kept_store.fundamental_history (
    symbol text NOT NULL COLLATE pg_catalog."C",
    "timestamp" timestamp with time zone NOT NULL,
    document json NOT NULL,
    recorded timestamp with time zone NOT NULL,
    replaced timestamp with time zone NOT NULL
);
CREATE TABLE kept_store.fundamentals (
    symbol text NOT NULL COLLATE pg_catalog."C",
    "timestamp" timestamp with time zone NOT NULL,
    document json NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE SEQUENCE kept_store.history_horizon
    START WITH 0
    INCREMENT BY 1
    MINVALUE -9223372036854775808
    NO MAXVALUE
    CACHE 1;
CREATE TABLE kept_store.orders (
    seq bigint NOT NULL,
    day date NOT NULL,
    strategy text NOT NULL COLLATE pg_catalog."C",
    logged_at timestamp with time zone NOT NULL,
    record json NOT NULL
);
CREATE SEQUENCE kept_store.recording_clock
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE kept_store.series_columns (
    symbol text NOT NULL COLLATE pg_catalog."C",
    timeframe text NOT NULL COLLATE pg_catalog."C",
    kinds json NOT NULL
);
CREATE TABLE kept_store.snapshots (
    name text NOT NULL COLLATE pg_catalog."C",
    recorded timestamp with time zone NOT NULL,
    note text NOT NULL
);
CREATE TABLE kept_store.states (
    strategy text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    saved_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    document json NOT NULL
);
INSERT INTO kept_store.about VALUES ('distribution', 'none');
INSERT INTO kept_store.about VALUES ('recorded_since', '1795700470876777');
INSERT INTO kept_store.about VALUES ('version', '3');
INSERT INTO kept_store.about VALUES ('columns', '2');
INSERT INTO kept_store.audit_heads VALUES ('decisions', 1, '45c7b7f02d74cd62957e8e11f5554bd92b2d11eb5264d215da277fbd608272a4');
INSERT INTO kept_store.audit_heads VALUES ('orders', 1, '442873b51c0ed1b24d898a7ec4a2e1a306a254db7c1db27f9e56e2427c4a89b9');
INSERT INTO kept_store.bar_columns VALUES ('vwap', 'float64', 'vwap');
INSERT INTO kept_store.bar_columns VALUES ('venue', 'string', 'venue');
INSERT INTO kept_store.bar_history VALUES ('AAPL', '1d', '2026-01-05 00:00:00+00', 1, 2, 0.5, 78, 7, NULL, '2026-11-26 13:41:11.12767+00', '2026-11-26 13:41:11.144467+00', NULL, NULL);
INSERT INTO kept_store.bar_history VALUES ('old', '1d', '2026-01-05 00:00:00+00', 1, 2, 0.5, 5, 7, NULL, '2026-11-26 13:41:11.145781+00', '2026-11-26 13:41:11.200793+00', NULL, NULL);
INSERT INTO kept_store.bar_history VALUES ('AAPL', '1d', '2026-01-05 00:00:00+00', 1, 2, 0.5, 1000, NULL, NULL, '2026-11-26 13:41:11.144467+00', '2026-11-26 13:41:11.477802+00', 9.5, NULL);
INSERT INTO kept_store.bar_history VALUES ('AAPL', '1d', '2026-01-06 00:00:00+00', 1, 2, 0.5, 1001, 9.007199254740992e+15, 9007199254740993, '2026-11-26 13:41:11.144467+00', '2026-11-26 13:41:11.477802+00', NULL, NULL);
INSERT INTO kept_store.bar_history VALUES ('AAPL', '1d', '2026-01-07 00:00:00+00', 1, 2, 0.5, 1002, 7, NULL, '2026-11-26 13:41:11.144467+00', '2026-11-26 13:41:11.48286+00', NULL, NULL);
INSERT INTO kept_store.bars VALUES ('BRK/B', '1d', '2026-01-05 00:00:00+00', 1, 2, 0.5, 5, 7, NULL, '2026-11-26 13:41:11.200793+00', NULL, NULL);
INSERT INTO kept_store.bars VALUES ('AAPL', '1d', '2026-01-05 00:00:00+00', 1, 2, 0.5, 1, 0.5, NULL, '2026-11-26 13:41:11.477802+00', NULL, 'X');
INSERT INTO kept_store.bars VALUES ('AAPL', '1d', '2026-01-06 00:00:00+00', 1, 2, 0.5, 2, 7, NULL, '2026-11-26 13:41:11.477802+00', NULL, NULL);
INSERT INTO kept_store.bars VALUES ('AAPL', '1d', '2026-01-08 00:00:00+00', 1, 2, 0.5, 4, 9.007199254740996e+15, 9007199254740995, '2026-11-26 13:41:11.477802+00', NULL, NULL);
INSERT INTO kept_store.decisions VALUES (1, '2026-11-26', 'value', '2026-11-26 13:41:11.918147+00', '{"seq":1,"timestamp":"2026-11-26T13:41:11.918147Z","strategy":"value","decision":{"symbol":"AAPL","action":"sell","target_weight":0.25,"confidence":0.5,"reasoning":"reason","extra":{"why":"x"}},"as_of":"2026-01-14T00:00:00Z","reads":[{"call":"read_bars","arguments":{"symbol":"AAPL","start":null,"end":null,"timeframe":"1d","last":null},"rows":3,"sha256":"c7a390cba59cd6dd0cbfe31056804eb26b62564a78b331dbf7a98f1f2b56213c","as_of":"2026-01-14T00:00:00Z","recorded":null,"read_at":"2026-11-26T13:41:11.198484Z"}],"prev":"","hash":"45c7b7f02d74cd62957e8e11f5554bd92b2d11eb5264d215da277fbd608272a4"}');
INSERT INTO kept_store.event_history VALUES (2, '2026-01-06 00:00:00+00', 'split', 'AAPL', '{"type":"split","symbol":"AAPL","timestamp":"2026-01-06T00:00:00Z","ingested_at":"2026-01-05T00:00:00Z","source":"feed","payload":{"ratio":1}}', '2026-11-26 13:41:11.148627+00', '2026-11-26 13:41:11.616662+00');
INSERT INTO kept_store.events OVERRIDING SYSTEM VALUE VALUES (1, '2026-01-05 00:00:00+00', 'split', 'AAPL', '{"type":"split","symbol":"AAPL","timestamp":"2026-01-05T00:00:00Z","ingested_at":"2026-01-05T00:00:00Z","source":"feed","payload":{"ratio":0}}', '2026-11-26 13:41:11.148627+00');
INSERT INTO kept_store.fundamental_history VALUES ('AAPL', '2026-01-05 00:00:00+00', '{"symbol":"AAPL","timestamp":"2026-01-05T00:00:00+00:00","company_name":"Apple","cik":"1","employees":9,"shares_outstanding":null,"float_shares":null,"industry":null,"category":null,"subcategory":null,"raw_xml":"<f/>","timezone":null}', '2026-11-26 13:41:11.147265+00', '2026-11-26 13:41:11.567207+00');
INSERT INTO kept_store.fundamental_history VALUES ('AAPL', '2026-01-06 00:00:00+00', '{"symbol":"AAPL","timestamp":"2026-01-06T00:00:00+00:00","company_name":"Apple","cik":"1","employees":1,"shares_outstanding":null,"float_shares":null,"industry":null,"category":null,"subcategory":null,"raw_xml":"<f/>","timezone":null}', '2026-11-26 13:41:11.147265+00', '2026-11-26 13:41:11.598882+00');
INSERT INTO kept_store.fundamentals VALUES ('AAPL', '2026-01-05 00:00:00+00', '{"symbol":"AAPL","timestamp":"2026-01-05T00:00:00+00:00","company_name":"Apple","cik":"1","employees":10,"shares_outstanding":null,"float_shares":null,"industry":null,"category":null,"subcategory":null,"raw_xml":"<f/>","timezone":null}', '2026-11-26 13:41:11.567207+00');
INSERT INTO kept_store.orders VALUES (1, '2026-11-26', 'value', '2026-11-26 13:41:11.923005+00', '{"seq":1,"timestamp":"2026-11-26T13:41:11.923005Z","strategy":"value","order":{"strategy_name":"value","symbol":"AAPL","action":"BUY","quantity":1,"order_type":"LIMIT","limit_price":101.5},"result":{"order_id":"id","status":"filled","fill_price":101.25,"fill_quantity":1,"message":null},"prev":"","hash":"442873b51c0ed1b24d898a7ec4a2e1a306a254db7c1db27f9e56e2427c4a89b9"}');
INSERT INTO kept_store.series_columns VALUES ('AAPL', '1d', '{"venue": "string", "vwap": "float64"}');
INSERT INTO kept_store.snapshots VALUES ('first', '2026-11-26 13:41:11.150363+00', 'before the corrections');
INSERT INTO kept_store.snapshots VALUES ('second', '2026-11-26 13:41:11.924847+00', '');
INSERT INTO kept_store.states VALUES ('value', 3, '2026-11-26 13:41:11.691675+00', '{"position":2}');
INSERT INTO kept_store.states VALUES ('value', 4, '2026-11-26 13:41:11.747741+00', '{"position":3}');
INSERT INTO kept_store.states VALUES ('value', 5, '2026-11-26 13:41:11.910944+00', '{"position":4}');
INSERT INTO kept_store.states VALUES ('value', 6, '2026-11-26 13:41:11.912257+00', '{"position":5}');
INSERT INTO kept_store.states VALUES ('value', 7, '2026-11-26 13:41:11.916197+00', '{"position":6}');
SELECT pg_catalog.setval('kept_store.events_id_seq', 2, true);
SELECT pg_catalog.setval('kept_store.history_horizon', 1795700471128934, true);
SELECT pg_catalog.setval('kept_store.recording_clock', 1795700471924847, true);
ALTER TABLE ONLY kept_store.about
    ADD CONSTRAINT about_pkey PRIMARY KEY (key);
ALTER TABLE ONLY kept_store.audit_heads
    ADD CONSTRAINT audit_heads_pkey PRIMARY KEY (log);
ALTER TABLE ONLY kept_store.bar_columns
    ADD CONSTRAINT bar_columns_pkey PRIMARY KEY (name, kind);
ALTER TABLE ONLY kept_store.bar_history
    ADD CONSTRAINT bar_history_pkey PRIMARY KEY (symbol, timeframe, date, replaced);
ALTER TABLE ONLY kept_store.bars
    ADD CONSTRAINT bars_pkey PRIMARY KEY (symbol, timeframe, date);
ALTER TABLE ONLY kept_store.decisions
    ADD CONSTRAINT decisions_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY kept_store.event_history
    ADD CONSTRAINT event_history_pkey PRIMARY KEY ("timestamp", id, replaced);
ALTER TABLE ONLY kept_store.events
    ADD CONSTRAINT events_pkey PRIMARY KEY ("timestamp", id);
ALTER TABLE ONLY kept_store.fundamental_history
    ADD CONSTRAINT fundamental_history_pkey PRIMARY KEY (symbol, "timestamp", replaced);
ALTER TABLE ONLY kept_store.fundamentals
    ADD CONSTRAINT fundamentals_pkey PRIMARY KEY (symbol, "timestamp");
ALTER TABLE ONLY kept_store.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY kept_store.series_columns
    ADD CONSTRAINT series_columns_pkey PRIMARY KEY (symbol, timeframe);
ALTER TABLE ONLY kept_store.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (name);
ALTER TABLE ONLY kept_store.states
    ADD CONSTRAINT states_pkey PRIMARY KEY (strategy, version);
CREATE INDEX bar_history_replaced_idx ON kept_store.bar_history USING brin (replaced);
CREATE INDEX decisions_logged_at_idx ON kept_store.decisions USING brin (logged_at);
CREATE INDEX event_history_replaced_idx ON kept_store.event_history USING brin (replaced);
CREATE INDEX events_type_timestamp_id_idx ON kept_store.events USING btree (type, "timestamp", id);
CREATE INDEX fundamental_history_replaced_idx ON kept_store.fundamental_history USING brin (replaced);
CREATE INDEX orders_logged_at_idx ON kept_store.orders USING brin (logged_at);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON kept_store.decisions FOR EACH STATEMENT EXECUTE FUNCTION kept_store.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON kept_store.orders FOR EACH STATEMENT EXECUTE FUNCTION kept_store.refuse_change();
