"""Pictures: frames and geometries in, HTML / PNG out; folium with local assets; no SQL, no HTTP."""
