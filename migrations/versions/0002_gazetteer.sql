-- One row a loaded file or town; loading it again replaces its entries and takes the next version. A source that was
-- emptied stays, so that the highest version always tells whether anything changed.
CREATE TABLE gazetteer_source (
    source text PRIMARY KEY CHECK (source <> ''),
    version integer NOT NULL UNIQUE CHECK (version > 0),
    loaded_at timestamptz NOT NULL,
    actor text NOT NULL,
    entries integer NOT NULL CHECK (entries >= 0)
);

CREATE TABLE gazetteer_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL REFERENCES gazetteer_source,
    external_id text,
    name text NOT NULL CHECK (name <> ''),
    kind text NOT NULL CHECK (kind IN ('building', 'poi', 'crossing', 'street', 'group', 'village', 'community', 'town')),
    admin text[] NOT NULL,
    aliases text[] NOT NULL,
    address text NOT NULL,
    radius_m double precision CHECK (radius_m > 0),
    geom geometry(Geometry, 4326) NOT NULL,
    CONSTRAINT gazetteer_entry_has_a_place CHECK (NOT ST_IsEmpty(geom))
);
CREATE INDEX gazetteer_entry_source ON gazetteer_entry (source);
CREATE INDEX gazetteer_entry_geom ON gazetteer_entry USING gist (geom);
