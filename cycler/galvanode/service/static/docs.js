// The API's own page, from the bundled Swagger UI.
"use strict";
window.SwaggerUIBundle({ url: "/api/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
