"""The web side: REST API, live stream, UI files, MQTT."""
