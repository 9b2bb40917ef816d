// Draws the page /docs from the OpenAPI document beside it. Nothing is sent elsewhere (no validator), and a key that is
// typed in is forgotten with the page.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
});
