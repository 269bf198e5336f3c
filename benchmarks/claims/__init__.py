"""Published claims, fixed before they were asked, and their page."""
