"""Several hosts that train one run: how they meet, agree, and share."""
