"""The spatial kernel of Gridbeat: pure functions over arrays, geometries and frames; `gis.store` is the only room with SQL."""
