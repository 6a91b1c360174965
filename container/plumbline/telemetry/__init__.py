"""What a server tells of itself: metrics and traces. It knows neither HTTP nor models."""
